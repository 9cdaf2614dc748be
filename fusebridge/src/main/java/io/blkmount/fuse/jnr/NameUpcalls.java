// SPDX-License-Identifier: Apache-2.0
package io.blkmount.fuse.jnr;

import jnr.ffi.Pointer;
import jnr.ffi.Runtime;
import jnr.ffi.Struct;
import jnr.ffi.annotations.Delegate;
import jnr.ffi.types.off_t;
import ru.serce.jnrfuse.struct.FuseOperations;

/** The upcalls that carry a name, with the name as bytes. */
public final class NameUpcalls {
  private NameUpcalls() {}

  /** {@code getattr}. */
  public interface GetAttributes {
    /**
     * Fills in a {@code struct stat}.
     *
     * @param path of the entry
     * @param stat to fill
     * @return 0 or a negative errno
     */
    @Delegate
    int call(Pointer path, Pointer stat);
  }

  /** {@code open}. */
  public interface Open {
    /**
     * Opens a file.
     *
     * @param path of the file
     * @param info flags in, handle out
     * @return 0 or a negative errno
     */
    @Delegate
    int call(Pointer path, Pointer info);
  }

  /** {@code truncate}, for those who have no handle. */
  public interface Truncate {
    /**
     * Changes the length of a file.
     *
     * @param path of the file
     * @param length in bytes
     * @return 0 or a negative errno
     */
    @Delegate
    int call(Pointer path, @off_t long length);
  }

  /** {@code readdir}. */
  public interface ReadDirectory {
    /**
     * Lists the root.
     *
     * @param path null: there is only one directory
     * @param buffer for the filler
     * @param filler function that takes an entry
     * @param offset 0
     * @param info nothing of ours
     * @return 0 or a negative errno
     */
    @Delegate
    int call(Pointer path, Pointer buffer, Pointer filler, @off_t long offset, Pointer info);
  }

  /**
   * Every upcall that changes names or owners. Its caller passes arguments that nobody looks at,
   * which C allows; one closure in all slots spares the start the making of eleven.
   */
  public interface Refuse {
    /**
     * Refuses.
     *
     * @return a negative errno
     */
    @Delegate
    int call();
  }

  /** Keeps the upcalls alive for as long as libfuse may call them. */
  static final class Slots {
    /** {@code flag_nullpath_ok} and {@code flag_nopath}: upcalls on handles want no path. */
    private static final int NO_PATHS = 0b11;

    private final GetAttributes getAttributes;
    private final Open open;
    private final Truncate truncate;
    private final ReadDirectory readDirectory;
    private final Refuse refuse;

    Slots(JnrFuseAdapter adapter) {
      getAttributes = adapter::attributes;
      open = adapter::openFile;
      truncate = adapter::truncateFile;
      refuse = adapter::refuse;
      readDirectory =
          (path, buffer, filler, offset, info) ->
              adapter.listDirectory(new DirectoryFiller(buffer, filler));
    }

    void installInto(FuseOperations operations) {
      Pointer table = Struct.getMemory(operations);
      put(table, operations.getattr.offset(), GetAttributes.class, getAttributes);
      put(table, operations.open.offset(), Open.class, open);
      put(table, operations.truncate.offset(), Truncate.class, truncate);
      put(table, operations.readdir.offset(), ReadDirectory.class, readDirectory);
      for (long slot : refused(operations)) {
        put(table, slot, Refuse.class, refuse);
      }
      table.putInt(operations.bmap.offset() + table.getRuntime().addressSize(), NO_PATHS);
    }

    private static long[] refused(FuseOperations operations) {
      return new long[] {
        operations.create.offset(),
        operations.mknod.offset(),
        operations.mkdir.offset(),
        operations.symlink.offset(),
        operations.link.offset(),
        operations.rename.offset(),
        operations.unlink.offset(),
        operations.rmdir.offset(),
        operations.chmod.offset(),
        operations.chown.offset(),
        operations.utimens.offset()
      };
    }

    private static <T> void put(Pointer table, long offset, Class<T> type, T upcall) {
      Runtime runtime = table.getRuntime();
      table.putPointer(offset, runtime.getClosureManager().getClosurePointer(type, upcall));
    }
  }
}
