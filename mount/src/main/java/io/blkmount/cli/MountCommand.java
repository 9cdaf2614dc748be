// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import io.blkmount.block.BlockLayer;
import io.blkmount.block.backend.BlockBackend;
import io.blkmount.block.bytes.HostName;
import io.blkmount.cli.MountLifecycle.Event;
import io.blkmount.fuse.ExportTree;
import io.blkmount.fuse.FuseMount;
import io.blkmount.fuse.MountOptions;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** {@code blkmount IMAGE... MOUNTPOINT}: opens, mounts, says so, and serves until the end. */
final class MountCommand {
  private static final System.Logger LOGGER = System.getLogger(MountCommand.class.getName());

  private final MountRequest request;
  private final Terminal terminal;
  private final EventQueue events = new EventQueue();

  private MountCommand(MountRequest request, Terminal terminal) {
    this.request = request;
    this.terminal = terminal;
  }

  /**
   * Runs a server from start to end.
   *
   * @param greeting what to say on standard output when the mount answers
   * @return the exit code of the server
   * @throws CommandFailure if it cannot start; nothing is mounted and nothing is open then
   */
  static int run(MountRequest request, Terminal terminal, String greeting) throws CommandFailure {
    LibFuse.require(request.serving().transport());
    MountPoint mountPoint = MountPoint.check(request.mountPoint(), request.images());
    ServerLog.open(sink(request.server()), request.server().level());
    ServerProcess.nameThisOne();
    try {
      return new MountCommand(request, terminal).serve(mountPoint, greeting);
    } catch (RuntimeException | Error e) {
      LOGGER.log(Level.ERROR, "internal error", e);
      throw e;
    } finally {
      ServerLog.close();
    }
  }

  private static ServerLog.Sink sink(ServerOptions server) throws CommandFailure {
    if (server.logFile() != null) {
      return StreamLog.appendTo(server.logFile());
    }
    return server.foreground() || !StartStatus.isAwaited()
        ? new StreamLog(new FileOutputStream(FileDescriptor.err), InstantSource.system())
        : SyslogPipe.ofProcess();
  }

  private int serve(MountPoint mountPoint, String greeting) throws CommandFailure {
    try (@Nullable PidFile pidFile = pidFile()) {
      List<BlockBackend> disks = openDisks();
      FuseMount mount = start(mountPoint, disks);
      mount.remarks().forEach(this::remark);
      announce(mount);
      goToBackground(greeting);
      LOGGER.log(Level.INFO, "mounted {0} on {1}", fsName(), mount.path());
      int exitCode = lifecycle(mount, disks).run();
      LOGGER.log(Level.INFO, "unmounted {0}, exit code {1}", mount.path(), exitCode);
      return exitCode;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw CommandFailure.failed("interrupted", e);
    }
  }

  private @Nullable PidFile pidFile() throws CommandFailure {
    String name = request.server().pidFile();
    return name == null ? null : PidFile.write(name);
  }

  private List<BlockBackend> openDisks() throws CommandFailure {
    try (MountKey key = new MountKey(request.secretFile())) {
      return openDisks(key);
    }
  }

  private List<BlockBackend> openDisks(MountKey key) throws CommandFailure {
    List<BlockBackend> disks = new ArrayList<>();
    for (MountRequest.Image image : request.images()) {
      try {
        disks.add(BlockLayer.open(image.options().withKeys(key)));
      } catch (IOException e) {
        CommandFailure failure = CommandFailure.failed(openProblem(image, e) + key.hint(e), e);
        closeAll(disks, failure);
        throw failure;
      }
    }
    return disks;
  }

  /** Returns a line that names the image, which a driver's message need not do. */
  private static String openProblem(MountRequest.Image image, IOException e) {
    String reason = String.valueOf(e.getMessage());
    String shown = HostName.printable(image.name());
    return reason.contains(shown) ? reason : "\"" + shown + "\": " + reason;
  }

  private FuseMount start(MountPoint mountPoint, List<BlockBackend> disks) throws CommandFailure {
    StopSignals.handle(() -> events.post(Event.STOP));
    ExportTree tree =
        mountPoint.isDirectory() ? ExportTree.directory(disks) : ExportTree.file(disks.get(0));
    try {
      return FuseMount.start(tree, mountPoint.name(), mountOptions());
    } catch (IOException e) {
      CommandFailure failure = CommandFailure.failed(String.valueOf(e.getMessage()), e);
      closeAll(disks, failure);
      throw failure;
    }
  }

  private static void closeAll(List<BlockBackend> disks, CommandFailure failure) {
    for (BlockBackend disk : disks) {
      try {
        disk.close();
      } catch (IOException e) {
        failure.addSuppressed(e);
      }
    }
  }

  private MountOptions mountOptions() {
    MountFlags flags = request.flags();
    ProcessUser user = ProcessUser.current();
    return new MountOptions(
        fsName(),
        request.readOnly(),
        flags.allowOther(),
        flags.uid() < 0 ? user.uid() : flags.uid(),
        flags.gid() < 0 ? user.gid() : flags.gid(),
        flags.umask() < 0 ? MountOptions.NO_UMASK : flags.umask(),
        request.serving(),
        flags.noExec() ? List.of("noexec") : List.of());
  }

  private String fsName() {
    return request.images().stream().map(MountRequest.Image::name).collect(Collectors.joining(","));
  }

  private void remark(String line) {
    LOGGER.log(Level.WARNING, line);
    terminal.complain(line);
  }

  /** Starts the thread that waits for the mount's end, under the name that others find it by. */
  private void announce(FuseMount mount) {
    Thread watcher = new Thread(() -> watch(mount), ServerProcess.threadName(mount.device()));
    watcher.setDaemon(true);
    watcher.start();
  }

  private void watch(FuseMount mount) {
    try {
      while (!mount.awaitEnd(Long.MAX_VALUE)) {
        // A wait may end early.
        continue;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    events.post(Event.ENDED);
  }

  private void goToBackground(String greeting) throws CommandFailure {
    terminal.say(greeting);
    if (StartStatus.isAwaited()) {
      try {
        terminal.letGo();
        StartStatus.ready();
      } catch (IOException launcherIsGone) {
        LOGGER.log(Level.DEBUG, "nobody waited for the mount", launcherIsGone);
      }
    }
    ServerLog.startIsOver();
  }

  private MountLifecycle lifecycle(FuseMount mount, List<BlockBackend> disks) {
    return new MountLifecycle(
        new MountedTree(mount), disks, events, () -> System.nanoTime() / 1_000_000);
  }

  private record MountedTree(FuseMount mount) implements MountLifecycle.Mount {
    @Override
    public void unmount() throws IOException {
      mount.unmount();
    }

    @Override
    public void detach() throws IOException {
      mount.detach();
    }

    @Override
    public void cutOff() throws IOException {
      mount.cutOff();
    }

    @Override
    public int openHandles() {
      return mount.openHandles();
    }
  }
}
