// SPDX-License-Identifier: Apache-2.0
package io.blkmount.cli;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;

/**
 * SIGTERM, SIGINT and SIGHUP as calls.
 *
 * <p>A shutdown hook hears the first signal only, and the exit code is then the signal's. The JDK's
 * own way to hear all of them, {@code sun.misc.Signal}, is open to everybody in the module
 * jdk.unsupported but makes the compiler warn, so it is used by name.
 */
final class StopSignals {
  private static final List<String> NAMES = List.of("TERM", "INT", "HUP");

  private StopSignals() {}

  /**
   * Calls {@code onSignal} for each such signal from now on, on a thread of its own. A signal that
   * the process was started to ignore, as by nohup, stays ignored.
   */
  static void handle(Runnable onSignal) {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Class<?> handlerType = Class.forName("sun.misc.SignalHandler");
      Object handler =
          Proxy.newProxyInstance(
              StopSignals.class.getClassLoader(),
              new Class<?>[] {handlerType},
              (proxy, method, arguments) -> {
                onSignal.run();
                return null;
              });
      for (String name : NAMES) {
        register(signal, handlerType, name, handler);
      }
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("this JDK has no sun.misc.Signal", e);
    }
  }

  private static void register(Class<?> signal, Class<?> handlerType, String name, Object handler)
      throws ReflectiveOperationException {
    Object number = signal.getConstructor(String.class).newInstance(name);
    try {
      signal.getMethod("handle", signal, handlerType).invoke(null, number, handler);
    } catch (InvocationTargetException e) {
      if (!(e.getCause() instanceof IllegalArgumentException)) {
        throw e;
      }
      System.getLogger(StopSignals.class.getName())
          .log(System.Logger.Level.DEBUG, "SIG" + name + " is ignored");
    }
  }
}
