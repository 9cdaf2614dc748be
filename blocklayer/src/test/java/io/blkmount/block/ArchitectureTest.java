// SPDX-License-Identifier: Apache-2.0
package io.blkmount.block;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideOutsideOfPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaPackage;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** The arrows between packages. An arrow is added here and in the design together. */
final class ArchitectureTest {
  private static final String ROOT = "io.blkmount.block";

  /**
   * What each package may use, besides itself; everybody may use bytes and error. What stands on
   * the graph also names what the graph is made of.
   */
  private static final Map<String, Set<String>> ARROWS =
      Map.ofEntries(
          Map.entry("", Set.of("open", "backend", "job", "graph", "driver")),
          Map.entry(
              "open",
              Set.of("graph", "request", "driver", "raw", "file", "qcow2", "filter", "crypto")),
          Map.entry("backend", Set.of("graph", "request", "driver", "throttle", "bitmap")),
          Map.entry("job", Set.of("graph", "request", "driver", "throttle", "bitmap")),
          Map.entry("filter", Set.of("driver", "request", "throttle")),
          Map.entry("graph", Set.of("request", "driver", "bitmap")),
          Map.entry("qcow2", Set.of("driver", "crypto", "bitmap")),
          Map.entry("raw", Set.of("driver")),
          Map.entry("file", Set.of("driver")),
          Map.entry("request", Set.of("driver", "bitmap")),
          Map.entry("driver", Set.of()),
          Map.entry("crypto", Set.of()),
          Map.entry("throttle", Set.of()),
          Map.entry("bitmap", Set.of()),
          Map.entry("bytes", Set.of()),
          Map.entry("error", Set.of()));

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .withImportOption(location -> !location.contains("-test/"))
          .importPackages(ROOT);

  @Test
  void packagesUseOnlyWhatTheirArrowsPointTo() {
    for (String name : packages()) {
      List<String> allowed = new ArrayList<>(List.of(full(name), full("bytes"), full("error")));
      ARROWS.get(name).forEach(other -> allowed.add(full(other)));
      classes()
          .that()
          .resideInAPackage(full(name))
          .should()
          .onlyDependOnClassesThat(
              resideOutsideOfPackage(ROOT + "..")
                  .or(resideInAnyPackage(allowed.toArray(String[]::new))))
          .check(CLASSES);
    }
  }

  private static Set<String> packages() {
    JavaPackage root = CLASSES.getPackage(ROOT);
    Set<String> names =
        root.getSubpackages().stream()
            .map(JavaPackage::getRelativeName)
            .collect(Collectors.toSet());
    assertThat(ARROWS.keySet()).containsAll(names);
    names.add("");
    return names;
  }

  private static String full(String name) {
    return name.isEmpty() ? ROOT : ROOT + '.' + name;
  }

  @Test
  void packagesFormNoCycle() {
    slices().matching(ROOT + ".(*)..").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void systemCallsAreMadeInOnePackageAndLibcryptoIsCalledFromOneClass() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + ".file")
        .and()
        .haveNameNotMatching(".*[.]crypto[.]LibCrypto([$].*)?")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("jnr..", "com.kenai..")
        .check(CLASSES);
  }

  /** Their jar is opened when an image needs them, not before. */
  @Test
  void rareCiphersAreKnownToFewClasses() {
    noClasses()
        .that()
        .haveNameNotMatching(".*[.]crypto[.]Bouncy[A-Za-z]+([$].*)?")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.bouncycastle..")
        .check(CLASSES);
  }

  @Test
  void blockLayerKnowsNothingOfFuseAndCommands() {
    noClasses()
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.blkmount.fuse..", "io.blkmount.cli..", "ru.serce..", "picocli..")
        .check(CLASSES);
  }
}
