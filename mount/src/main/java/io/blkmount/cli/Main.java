// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.util.List;

/** The program {@code blkmount}. */
public final class Main {
  private Main() {}

  /**
   * Runs one command; a mount ends with its server.
   *
   * @param words only counted: a name in them may have lost bytes
   */
  public static void main(String[] words) {
    int exitCode =
        run(ProcessWords.arguments(words), WorkingDirectory.ofCaller(), Terminal.ofProcess());
    System.exit(exitCode);
  }

  static int run(List<String> words, WorkingDirectory directory, Terminal terminal) {
    try {
      return dispatch(words, directory, terminal);
    } catch (CommandFailure e) {
      terminal.complain(String.valueOf(e.getMessage()));
      return e.exitCode();
    } catch (UnsatisfiedLinkError e) {
      terminal.complain(NativeCode.problem(e));
      return ExitCode.FAILED;
    } catch (RuntimeException | Error e) {
      // A bug of ours; the trace is for the report of it. Threads that serve must not keep the
      // process.
      terminal.complain("internal error: " + e);
      e.printStackTrace();
      return ExitCode.FAILED;
    }
  }

  private static int dispatch(List<String> words, WorkingDirectory directory, Terminal terminal)
      throws CommandFailure {
    CommandLineOptions options = CommandLineParser.parse(words);
    if (options.has(Option.HELP)) {
      terminal.say(CommandLineHelp.text());
      return ExitCode.DONE;
    }
    if (options.has(Option.VERSION)) {
      terminal.say(Version.line() + "\n");
      return ExitCode.DONE;
    }
    if (options.has(Option.UNMOUNT)) {
      UnmountCommand.run(
          terminal,
          directory.resolve(onlyOperand(options, Option.UNMOUNT, "mount point")),
          options.has(Option.LAZY));
      return ExitCode.DONE;
    }
    if (options.has(Option.LAZY)) {
      throw CommandFailure.usage("--lazy belongs to --unmount");
    }
    if (options.has(Option.DEMO)) {
      return DemoCommand.run(
          options, directory.resolve(onlyOperand(options, Option.DEMO, "directory")), terminal);
    }
    return MountCommand.run(MountRequest.of(options, directory), terminal, "");
  }

  private static String onlyOperand(CommandLineOptions options, Option option, String what)
      throws CommandFailure {
    if (options.operands().size() != 1) {
      throw CommandFailure.usage(option + " needs one " + what);
    }
    return options.operands().get(0);
  }
}
