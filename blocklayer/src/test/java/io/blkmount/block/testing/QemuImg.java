// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.testing;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The installed qemu-img and qemu-io, as oracles. */
public final class QemuImg {
  private QemuImg() {}

  /**
   * What a command said.
   *
   * @param exitCode 0 if it is content
   * @param output both streams
   */
  public record Result(int exitCode, String output) {}

  /**
   * What {@code qemu-img check} counted.
   *
   * @param exitCode 0 clean, 2 corrupt, 3 leaks only
   * @param corruptions errors that lose data
   * @param leaks clusters that nobody uses
   * @param output all it said
   */
  public record Check(int exitCode, long corruptions, long leaks, String output) {
    /** Returns whether nothing is wrong but, at most, leaks. */
    public boolean isConsistent() {
      return (exitCode == 0 || exitCode == 3) && corruptions == 0;
    }
  }

  /** What qemu-img says when it times its key derivation while the processor is busy. */
  private static final String TOO_BUSY = "Unable to get accurate CPU usage";

  private static final int ENOUGH_TRIES = 50;

  /**
   * Empty encrypted images that were made before: qemu-img times its key derivation for seconds.
   */
  private static final Map<String, byte[]> ENCRYPTED = new ConcurrentHashMap<>();

  /**
   * Runs a command to its end.
   *
   * @param command program and arguments
   */
  public static Result run(List<String> command) {
    try {
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      process.getOutputStream().close();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return new Result(process.waitFor(), output);
    } catch (IOException e) {
      throw new AssertionError("cannot run " + command + "; is qemu-utils installed?", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while " + command + " ran", e);
    }
  }

  /**
   * Runs qemu-img and fails if it fails.
   *
   * @param arguments of qemu-img
   * @return what it printed
   */
  public static String img(Object... arguments) {
    return require(command("qemu-img", arguments));
  }

  /**
   * Runs qemu-io with {@code -c} for each command and fails if it fails.
   *
   * @param file the image, opened as qcow2
   * @param commands such as {@code write -P 5 0 64k}
   * @return what it printed
   */
  public static String io(Path file, String... commands) {
    List<Object> arguments = new ArrayList<>(List.of("-f", "qcow2"));
    for (String command : commands) {
      arguments.add("-c");
      arguments.add(command);
    }
    arguments.add(file);
    return require(command("qemu-io", arguments.toArray()));
  }

  /**
   * Runs another of QEMU's tools and fails if it fails.
   *
   * @param program such as {@code qemu-io}
   * @param arguments its own
   * @return what it printed
   */
  public static String tool(String program, Object... arguments) {
    return require(command(program, arguments));
  }

  private static List<String> command(String program, Object... arguments) {
    List<String> command = new ArrayList<>(List.of(program));
    for (Object argument : arguments) {
      command.add(argument.toString());
    }
    return command;
  }

  private static String require(List<String> command) {
    Result result = run(command);
    for (int i = 0; i < ENOUGH_TRIES && result.output().contains(TOO_BUSY); i++) {
      result = run(command);
    }
    if (result.exitCode() != 0) {
      throw new AssertionError(
          command + " exit code " + result.exitCode() + ": " + result.output());
    }
    return result.output();
  }

  /**
   * Runs qemu-img on a qcow2 image, which may be encrypted with {@link TestKey}, and fails if it
   * fails.
   *
   * @param image the last argument
   * @param arguments of qemu-img before it
   * @return what it printed
   */
  public static String onImage(Path image, Object... arguments) {
    return require(onImageCommand(image, arguments));
  }

  /**
   * Converts a qcow2 image, which may be encrypted with {@link TestKey}, to raw.
   *
   * @param image which
   * @param raw written
   * @param options of qemu-img convert
   */
  public static void convert(Path image, Path raw, Object... options) {
    List<Object> arguments = new ArrayList<>(List.of("convert", "-O", "raw"));
    arguments.addAll(List.of(options));
    List<String> command = onImageCommand(image, arguments.toArray());
    command.add(raw.toString());
    String unused = require(command);
  }

  private static List<String> onImageCommand(Path image, Object... arguments) {
    List<String> command = command("qemu-img", arguments);
    if (isEncrypted(image)) {
      command.addAll(List.of("--object", TestKey.QEMU_OBJECT, "--image-opts", options(image)));
    } else if (Files.exists(dataFile(image))) {
      command.addAll(List.of("--image-opts", "driver=qcow2" + files(image)));
    } else {
      if (!command.contains("snapshot")) { // which knows no formats
        command.addAll(List.of("-f", "qcow2"));
      }
      command.add(image.toString());
    }
    return command;
  }

  private static List<String> compareCommand(Path image, Path raw) {
    if (!isEncrypted(image)) {
      return command("qemu-img", "compare", "-f", "qcow2", "-F", "raw", image, raw);
    }
    String other = "driver=raw,file.driver=file,file.filename=" + raw;
    Object[] arguments = {
      "compare", "--object", TestKey.QEMU_OBJECT, "--image-opts", options(image), other
    };
    return command("qemu-img", arguments);
  }

  private static boolean isEncrypted(Path image) {
    try (InputStream start = Files.newInputStream(image)) {
      return ByteBuffer.wrap(start.readNBytes(36)).getInt(32) != 0;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns an encrypted image as {@code --image-opts} wants it.
   *
   * @param image encrypted with {@link TestKey}
   */
  public static String options(Path image) {
    return "driver=qcow2,encrypt.key-secret=key" + files(image);
  }

  /** QEMU looks for a data file in the working directory; one that lies beside the image is it. */
  private static String files(Path image) {
    Path data = dataFile(image);
    return (",file.driver=file,file.filename=" + image)
        + (Files.exists(data) ? ",data-file.driver=file,data-file.filename=" + data : "");
  }

  private static Path dataFile(Path image) {
    return image.resolveSibling("guest.data");
  }

  /**
   * Creates an image that is encrypted with {@link TestKey}.
   *
   * @param file where
   * @param length of the disk, as qemu-img takes it
   * @param options for {@code -o}, comma separated; with {@code encrypt.format}
   */
  public static void createEncrypted(Path file, String length, String options) {
    if (options.contains("file=")) {
      makeEncrypted(file, length, options);
      return;
    }
    byte[] image = ENCRYPTED.get(length + ' ' + options);
    try {
      if (image == null) {
        makeEncrypted(file, length, options);
        ENCRYPTED.put(length + ' ' + options, Files.readAllBytes(file));
      } else {
        Files.write(file, image);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void makeEncrypted(Path file, String length, String options) {
    String all = options + ",encrypt.key-secret=key";
    img("create", "-q", "--object", TestKey.QEMU_OBJECT, "-f", "qcow2", "-o", all, file, length);
  }

  /**
   * Runs qemu-io on an image that is encrypted with {@link TestKey} and fails if it fails.
   *
   * @param file the image
   * @param commands such as {@code write -P 5 0 64k}
   * @return what it printed
   */
  public static String ioEncrypted(Path file, String... commands) {
    List<Object> arguments = new ArrayList<>(List.of("--object", TestKey.QEMU_OBJECT));
    for (String command : commands) {
      arguments.addAll(List.of("-c", command));
    }
    arguments.addAll(List.of("--image-opts", options(file)));
    return require(command("qemu-io", arguments.toArray()));
  }

  /**
   * Creates an image.
   *
   * @param file where
   * @param length of the disk, as qemu-img takes it
   * @param options for {@code -o}, comma separated, may be empty
   */
  public static void create(Path file, String length, String options) {
    String some = options.isEmpty() ? "compat=1.1" : options;
    img("create", "-q", "-f", "qcow2", "-o", some, file, length);
  }

  /**
   * Checks a qcow2 image.
   *
   * @param file which
   */
  public static Check check(Path file) {
    return check(run(onImageCommand(file, "check", "--output=json")));
  }

  /**
   * Repairs a qcow2 image with {@code -r all}.
   *
   * @param file which
   * @return what is left
   */
  public static Check repair(Path file) {
    return check(run(onImageCommand(file, "check", "-r", "all", "--output=json")));
  }

  private static Check check(Result result) {
    String output = result.output();
    return new Check(
        result.exitCode(), number(output, "corruptions"), number(output, "leaks"), output);
  }

  private static long number(String json, String key) {
    Matcher matcher = Pattern.compile('"' + key + "\": (\\d+)").matcher(json);
    return matcher.find() ? Long.parseLong(matcher.group(1)) : 0;
  }

  /**
   * Fails unless the image is consistent and nothing leaks.
   *
   * @param file which
   * @param context said in the failure
   */
  public static void requireClean(Path file, Object context) {
    Check check = check(file);
    if (check.exitCode() != 0) {
      throw new AssertionError(context + ": qemu-img check says " + check);
    }
  }

  /**
   * Converts an image, backing files included, to raw.
   *
   * @param image qcow2
   * @param raw written
   */
  public static void toRaw(Path image, Path raw) {
    img("convert", "-f", "qcow2", "-O", "raw", image, raw);
  }

  /**
   * Fails unless two images have the same guest content.
   *
   * @param a qcow2
   * @param b raw
   * @param context said in the failure
   */
  public static void requireSame(Path a, Path b, Object context) {
    Result result = run(compareCommand(a, b));
    if (result.exitCode() != 0) {
      throw new AssertionError(context + ": qemu-img compare says " + result.output());
    }
  }
}
