// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block.bytes;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * File names as the host has them: bytes without NUL, UTF-8 by custom but not by rule.
 *
 * <p>Inside, a name is an ordinary string. A byte that is no part of valid UTF-8 becomes the lone
 * low surrogate U+DC00 + byte (Python calls this surrogateescape), so that {@link #encode} gives
 * back exactly the bytes that {@link #decode} was given.
 */
public final class HostName {
  private static final char ESCAPE_BASE = '\uDC00';

  private HostName() {}

  /**
   * Returns the string for a host name; never loses a byte.
   *
   * @param name the bytes, without the closing NUL
   */
  public static String decode(byte[] name) {
    CharsetDecoder decoder =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPORT)
            .onUnmappableCharacter(CodingErrorAction.REPORT);
    ByteBuffer source = ByteBuffer.wrap(name);
    CharBuffer target = CharBuffer.allocate(name.length + 1);
    while (true) {
      CoderResult result = decoder.decode(source, target, true);
      if (result.isUnderflow()) {
        return target.flip().toString();
      }
      for (int i = 0; i < result.length(); i++) {
        target.put((char) (ESCAPE_BASE + (source.get() & 0xff)));
      }
      decoder.reset();
    }
  }

  /**
   * Returns the bytes of a host name, without a closing NUL.
   *
   * @param name as {@link #decode} gives it, or any string
   */
  public static byte[] encode(String name) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream(name.length() + 8);
    int start = 0;
    for (int i = 0; i < name.length(); i++) {
      if (isEscape(name, i)) {
        bytes.writeBytes(name.substring(start, i).getBytes(StandardCharsets.UTF_8));
        bytes.write(name.charAt(i) - ESCAPE_BASE);
        start = i + 1;
      }
    }
    bytes.writeBytes(name.substring(start).getBytes(StandardCharsets.UTF_8));
    return bytes.toByteArray();
  }

  /**
   * Returns the name for a message on one line: control characters and stray bytes as {@code \xNN}.
   *
   * @param name any string
   */
  public static String printable(String name) {
    StringBuilder text = new StringBuilder(name.length());
    for (int i = 0; i < name.length(); i++) {
      char c = name.charAt(i);
      if (isEscape(name, i) || Character.isISOControl(c)) {
        text.append(String.format("\\x%02x", c & 0xff));
      } else {
        text.append(c);
      }
    }
    return text.toString();
  }

  private static boolean isEscape(String name, int index) {
    char c = name.charAt(index);
    boolean paired = index > 0 && Character.isHighSurrogate(name.charAt(index - 1));
    return c >= ESCAPE_BASE + 0x80 && c <= ESCAPE_BASE + 0xff && !paired;
  }
}
