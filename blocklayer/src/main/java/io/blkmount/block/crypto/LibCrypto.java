// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import com.kenai.jffi.CallingConvention;
import com.kenai.jffi.Function;
import com.kenai.jffi.HeapInvocationBuffer;
import com.kenai.jffi.Invoker;
import com.kenai.jffi.Library;
import com.kenai.jffi.MemoryIO;
import com.kenai.jffi.Type;
import io.blkmount.block.bytes.BouncePool;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import jnr.ffi.LibraryLoader;
import jnr.ffi.LibraryOption;
import jnr.ffi.annotations.IgnoreError;
import jnr.ffi.mapper.FunctionMapper;
import org.jspecify.annotations.Nullable;

/**
 * The host's libcrypto, version 1.1 or 3, if it has one. Memory is given by address.
 *
 * <p>No function of the interface has more than five arguments: what jnr-ffi makes of a sixth one
 * is not what was passed.
 */
final class LibCrypto {
  private static final System.Logger LOG = System.getLogger(LibCrypto.class.getName());
  private static final String[] NAMES = {"libcrypto.so.3", "libcrypto.so.1.1"};
  private static final MemoryIO MEMORY = MemoryIO.getInstance();

  private static final Map<String, String> SYMBOLS =
      Map.ofEntries(
          Map.entry("newContext", "EVP_CIPHER_CTX_new"),
          Map.entry("freeContext", "EVP_CIPHER_CTX_free"),
          Map.entry("setPadding", "EVP_CIPHER_CTX_set_padding"),
          Map.entry("cipherByName", "EVP_get_cipherbyname"),
          Map.entry("digestByName", "EVP_get_digestbyname"),
          Map.entry("initEncryption", "EVP_EncryptInit_ex"),
          Map.entry("initDecryption", "EVP_DecryptInit_ex"),
          Map.entry("encrypt", "EVP_EncryptUpdate"),
          Map.entry("decrypt", "EVP_DecryptUpdate"));

  /** The one that was found, or null. */
  static final @Nullable LibCrypto HOST = find();

  private final Calls calls;
  private final Function pbkdf2;

  private LibCrypto(String name) {
    FunctionMapper symbols = (function, context) -> SYMBOLS.getOrDefault(function, function);
    calls =
        LibraryLoader.create(Calls.class).option(LibraryOption.FunctionMapper, symbols).load(name);
    pbkdf2 =
        new Function(
            Library.getCachedInstance(name, Library.LAZY | Library.LOCAL)
                .getSymbolAddress("PKCS5_PBKDF2_HMAC"),
            Type.SINT32,
            new Type[] {
              Type.POINTER,
              Type.SINT32,
              Type.POINTER,
              Type.SINT32,
              Type.SINT32,
              Type.POINTER,
              Type.SINT32,
              Type.POINTER
            },
            CallingConvention.DEFAULT,
            false);
  }

  private static @Nullable LibCrypto find() {
    for (String name : NAMES) {
      try {
        LibCrypto library = new LibCrypto(name);
        if (library.cipher("aes-256-cbc") != 0) {
          return library;
        }
      } catch (UnsatisfiedLinkError notThere) {
        LOG.log(Level.DEBUG, "no {0}: {1}", name, notThere.getMessage());
      }
    }
    LOG.log(Level.INFO, "no libcrypto on this host: encryption with the Java platform's is slower");
    return null;
  }

  Calls calls() {
    return calls;
  }

  /** Returns a cipher by OpenSSL's name, 0 if there is none. */
  long cipher(String name) {
    ByteBuffer text = text(name);
    try {
      return calls.cipherByName(address(text));
    } finally {
      java.lang.ref.Reference.reachabilityFence(text);
    }
  }

  private static ByteBuffer text(String name) {
    return ByteBuffer.allocateDirect(name.length() + 1)
        .put(name.getBytes(StandardCharsets.US_ASCII))
        .clear();
  }

  /** Returns where in memory a direct buffer begins, whatever its position. */
  static long address(ByteBuffer buffer) {
    return MEMORY.getDirectBufferAddress(buffer);
  }

  /**
   * Derives a key as {@link Pbkdf2} does.
   *
   * @param key filled
   * @return whether it is done; else the hash is not one of the library's
   */
  boolean derive(HashAlgorithm hash, byte[] password, byte[] salt, int iterations, byte[] key) {
    ByteBuffer name = text(hash.luksName());
    int room = password.length + salt.length + key.length;
    try (BouncePool.Bounce bounce = BouncePool.take(room)) {
      long digest = calls.digestByName(address(name));
      ByteBuffer memory = bounce.buffer();
      memory.put(password).put(salt);
      boolean done =
          digest != 0 && derive(memory, password.length, salt.length, iterations, digest);
      memory.get(room - key.length, key);
      memory.clear().put(new byte[room]);
      return done;
    } finally {
      java.lang.ref.Reference.reachabilityFence(name);
    }
  }

  private boolean derive(
      ByteBuffer memory, int passwordLength, int saltLength, int iterations, long digest) {
    long at = address(memory);
    HeapInvocationBuffer arguments = new HeapInvocationBuffer(pbkdf2);
    arguments.putAddress(at);
    arguments.putInt(passwordLength);
    arguments.putAddress(at + passwordLength);
    arguments.putInt(saltLength);
    arguments.putInt(iterations);
    arguments.putAddress(digest);
    arguments.putInt(memory.limit() - passwordLength - saltLength);
    arguments.putAddress(at + passwordLength + saltLength);
    return Invoker.getInstance().invokeInt(pbkdf2, arguments) == 1;
  }

  /** The functions; public because jnr-ffi implements it in a class loader of its own. */
  public interface Calls {
    @IgnoreError
    long newContext();

    @IgnoreError
    void freeContext(long context);

    @IgnoreError
    int setPadding(long context, int padding);

    @IgnoreError
    long cipherByName(long name);

    @IgnoreError
    long digestByName(long name);

    @IgnoreError
    int initEncryption(long context, long cipher, long engine, long key, long iv);

    @IgnoreError
    int initDecryption(long context, long cipher, long engine, long key, long iv);

    @IgnoreError
    int encrypt(long context, long target, long written, long source, int length);

    @IgnoreError
    int decrypt(long context, long target, long written, long source, int length);
  }
}
