// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.crypto;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.Security;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The ciphers and hashes that the Java platform has not are the published ones. */
final class RareCipherTest {
  private static final HexFormat HEX = HexFormat.of();

  /**
   * First blocks from the NESSIE vectors of Serpent, the paper on Twofish, RFC 2144 and GB/T 32907.
   */
  @ParameterizedTest
  @CsvSource({
    "serpent, 80000000000000000000000000000000, 00000000000000000000000000000000,"
        + " 264e5481eff42a4606abda06c0bfda3d",
    "serpent, 8000000000000000000000000000000000000000000000000000000000000000,"
        + " 00000000000000000000000000000000, a223aa1288463c0e2be38ebd825616c0",
    "twofish, 00000000000000000000000000000000, 00000000000000000000000000000000,"
        + " 9f589f5cf6122c32b6bfec2f2ae8c35a",
    "twofish, 0123456789abcdeffedcba987654321000112233445566778899aabbccddeeff,"
        + " 00000000000000000000000000000000, 37527be0052334b89f0cfccae87cfa20",
    "cast5, 0123456712345678234567893456789a, 0123456789abcdef, 238b4fe5847e44b2",
    "sm4, 0123456789abcdeffedcba9876543210, 0123456789abcdeffedcba9876543210,"
        + " 681edf34d206965e86b3e94f536e4246",
  })
  void blocksAreThoseOfTheStandards(String name, String key, String plain, String encrypted)
      throws IOException {
    byte[] block = HEX.parseHex(plain);
    ByteBuffer sector = ByteBuffer.allocate(SectorCipher.SECTOR_SIZE).put(block).clear();

    try (SecretBytes secret = SecretBytes.copyOf(HEX.parseHex(key));
        SectorCipher cipher =
            SectorCipher.of(CipherSpec.named(name, "ecb-plain64", key.length() / 2), secret)) {
      cipher.encrypt(0, sector);
      assertThat(HEX.formatHex(sector.array(), 0, block.length)).isEqualTo(encrypted);
      cipher.decrypt(0, sector.flip());
    }

    assertThat(Arrays.copyOf(sector.array(), block.length)).isEqualTo(block);
  }

  @ParameterizedTest
  @CsvSource({
    "RIPEMD160, 8eb208f7e05d987a9b044a8e98c6b087f15a0bfc",
    "SM3, 66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
  })
  void hashesAreThoseOfTheStandards(HashAlgorithm hash, String digest) {
    byte[] made = hash.newDigest().digest(LuksHeaders.utf8("abc"));

    assertThat(HEX.formatHex(made)).isEqualTo(digest);
    assertThat(made).hasSize(hash.digestLength());
    assertThat(Security.getProvider("BC")).isNull();
  }

  /** Its start must not pay for what it does not use: the same program without their jar. */
  @Test
  void aesNeedsNothingOfTheirs() throws IOException, InterruptedException {
    String path = System.getProperty("java.class.path");
    List<String> jars = List.of(path.split(File.pathSeparator));
    String without =
        jars.stream()
            .filter(jar -> !jar.contains("bcprov"))
            .collect(Collectors.joining(File.pathSeparator));
    assertThat(without).isNotEqualTo(path);

    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                without,
                WithoutRareCiphers.class.getName())
            .redirectErrorStream(true)
            .start();
    String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);

    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(said).endsWith("without\n");
  }

  /** Encrypts in each mode, derives a key, and then finds that the rare ciphers are not there. */
  static final class WithoutRareCiphers {
    private WithoutRareCiphers() {}

    /** Runs in a Java of its own. */
    public static void main(String[] arguments) throws IOException {
      for (CipherMode mode : CipherMode.values()) {
        use("aes", mode.luksName() + "-plain64", mode.keyCount() * 16);
      }
      new Pbkdf2(HashAlgorithm.SHA256, FixedBytes.zeros(32), 2).deriveHere(new byte[1], 64).close();
      try {
        use("serpent", "cbc-plain64", 16);
      } catch (NoClassDefFoundError expected) {
        System.out.println("without");
      }
    }

    private static void use(String cipher, String mode, int keyLength) throws IOException {
      CipherSpec spec = CipherSpec.named(cipher, mode, keyLength);
      try (SecretBytes key = SecretBytes.zeros(keyLength);
          SectorCipher worker = new PooledSectorCipher(spec, key, JavaWorker::of)) {
        worker.encrypt(0, ByteBuffer.allocate(SectorCipher.SECTOR_SIZE));
      }
    }
  }
}
