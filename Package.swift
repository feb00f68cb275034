// swift-tools-version: 6.3
// Fovea: watches a folder, classifies every image dropped into it, trains its own networks.
//
// The order of the targets is the architecture: a target depends only on targets above it.
// docs/design.md says in a sentence or two what each one is for.

import PackageDescription

// MARK: - Dependencies

let package = Package(name: "fovea")

package.dependencies = [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let grdb: Target.Dependency = .product(name: "GRDB", package: "GRDB.swift")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")

// MARK: - C targets: the only doors to foreign code

package.targets += [
    .target(name: "CFoveaPlugin"),
    .target(name: "CLinux", linkerSettings: [.linkedLibrary("seccomp")]),
    .target(name: "CPNG", linkerSettings: [.linkedLibrary("png16")]),
    .target(name: "CJPEG", linkerSettings: [.linkedLibrary("jpeg")]),
    .target(name: "CHTTP", linkerSettings: [.linkedLibrary("microhttpd"), .linkedLibrary("curl")]),
    .target(name: "COpenBLAS", linkerSettings: [.linkedLibrary("dl")]),
    .target(name: "CKernels", cSettings: [.unsafeFlags(["-O3", "-fno-math-errno", "-fno-trapping-math"])]),
    .systemLibrary(name: "CInotifyTools", providers: [.apt(["libinotifytools0-dev"])]),
    .systemLibrary(name: "CArchive", pkgConfig: "libarchive", providers: [.apt(["libarchive-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
]

// MARK: - Libraries

package.targets += [
    .target(name: "FoveaSystem", dependencies: ["CLinux", "CCrypto", systemPackage]),
    .target(name: "FoveaHeads", dependencies: ["COpenBLAS"]),
    .target(name: "FoveaModels", dependencies: ["FoveaSystem"]),
    .target(name: "FoveaImage", dependencies: ["CPNG", "CJPEG", "CKernels", "FoveaModels"]),
    .target(name: "FoveaNN", dependencies: ["CKernels", "FoveaSystem", systemPackage]),
    .target(name: "FoveaData", dependencies: ["FoveaSystem", "FoveaImage", "FoveaModels", "CArchive", "CHTTP"]),
    .target(name: "FoveaTorch"),
    .target(name: "FoveaExchange", dependencies: ["FoveaSystem", "FoveaModels", "FoveaTorch", "CArchive"]),
    .target(name: "FoveaPipeline", dependencies: ["CFoveaPlugin", "FoveaSystem", "FoveaModels"]),
    .target(name: "FoveaWorker", dependencies: ["FoveaPipeline", "FoveaImage"]),
    .target(name: "FoveaControl", dependencies: ["FoveaSystem", "FoveaModels", "CHTTP", yams]),
    .target(name: "FoveaHistory", dependencies: ["FoveaControl", grdb, logging]),
    .target(name: "FoveaRetraining", dependencies: ["FoveaControl", "FoveaHistory", "FoveaData", "FoveaPipeline"]),
    .target(
        name: "FoveaCLI",
        dependencies: ["FoveaSystem", "FoveaModels", "FoveaData", "FoveaPipeline", "FoveaControl", systemPackage]),
    .target(
        name: "FoveaTraining",
        dependencies: [
            "CLinux", "FoveaSystem", "FoveaImage", "FoveaNN", "FoveaHeads", "FoveaModels", "FoveaData", "FoveaPipeline",
            "FoveaControl", "FoveaHistory", "FoveaRetraining", "FoveaExchange", "FoveaTorch", "FoveaCLI", systemPackage,
        ]),
    .target(name: "FoveaReport", dependencies: ["FoveaTraining"]),
    .target(
        name: "FoveaDaemon",
        dependencies: ["FoveaControl", "FoveaHistory", "FoveaPipeline", "CInotifyTools", "CHTTP", logging]),
]

// MARK: - Programs

package.targets += [
    .executableTarget(name: "fovead", dependencies: ["FoveaDaemon", argumentParser]),
    .executableTarget(name: "fovea-worker", dependencies: ["FoveaWorker"]),
    .executableTarget(
        name: "fovea-train", dependencies: ["FoveaTraining", "FoveaReport", "FoveaExchange", argumentParser]),
    .executableTarget(
        name: "foveactl", dependencies: ["FoveaCLI", "FoveaExchange", argumentParser]),
]

// Measures and tortures all of the above; not installed. Here and not in a package of its own, because what it measures
// has `package` access.
package.targets.append(
    .executableTarget(
        name: "fovea-bench",
        dependencies: [
            "CKernels", "FoveaImage", "FoveaData", "FoveaNN", "FoveaModels", "FoveaPipeline", "FoveaControl",
            "FoveaSystem", argumentParser,
        ], path: "Benchmarks/fovea-bench"))

// MARK: - Plugins: one shared library each, of which only the entry symbol is visible

/// `-z nodelete`: a Swift library cannot be unloaded safely. `-Bsymbolic` and the version script keep
/// the copy of the engine inside a plugin apart from any copy inside the program that loads it.
let pluginLinkerSettings: [LinkerSetting] = [
    .unsafeFlags([
        "-Xlinker", "-z", "-Xlinker", "nodelete", "-Xlinker", "-Bsymbolic",
        "-Xlinker", "--version-script=\(Context.packageDirectory)/Plugins/exports.map",
    ])
]

@MainActor func plugin(_ name: String, file: String, dependencies: [Target.Dependency] = []) {
    package.targets.append(
        .target(
            name: name, dependencies: ["CFoveaPlugin"] + dependencies, path: "Plugins/\(name)",
            publicHeadersPath: ".", linkerSettings: pluginLinkerSettings))
    package.products.append(.library(name: file, type: .dynamic, targets: [name]))
}

/// The C side of a plugin in Swift, linked into each.
package.targets.append(.target(name: "FoveaPluginKit", dependencies: ["CFoveaPlugin"], path: "Plugins/Kit"))

plugin("Sharpen", file: "fovea-sharpen", dependencies: ["CKernels", "FoveaPluginKit"])
plugin("Normalize", file: "fovea-normalize", dependencies: ["CKernels", "FoveaPluginKit"])
plugin(
    "ClassifierNet", file: "fovea-classifier-net",
    dependencies: ["CKernels", "FoveaNN", "FoveaModels", "FoveaPluginKit"])
plugin("ExampleC", file: "fovea-example-c")

// MARK: - Tests

@MainActor func tests(
    _ name: String, _ dependencies: [Target.Dependency], exclude: [String] = [], resources: [Resource] = []
) {
    package.targets.append(
        .testTarget(
            name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude, resources: resources))
}

/// Small doubles and synthetic images shared by the tests.
package.targets.append(
    .target(
        name: "FoveaTestKit", dependencies: ["FoveaSystem", "FoveaImage", "FoveaModels", "FoveaTorch"],
        path: "Tests/FoveaTestKit"))

/// Counts what a thread allocates.
package.targets.append(.target(name: "CAllocations", path: "Tests/CAllocations"))

tests("FoveaSystemTests", ["FoveaSystem"])
tests(
    "FoveaImageTests", ["FoveaImage", "FoveaModels", "FoveaTestKit"], exclude: ["make_framing_golden.py"],
    resources: [.copy("Golden")])
tests(
    "FoveaNNTests", ["FoveaNN", "FoveaSystem", "CKernels", "CAllocations"], exclude: ["make_golden.py"],
    resources: [.copy("Golden")])
tests(
    "FoveaDataTests", ["FoveaData", "FoveaTestKit", "CAllocations"], exclude: ["make_blur_golden.py"],
    resources: [.copy("Golden")])
tests("FoveaHeadsTests", ["FoveaHeads"])
tests("FoveaModelsTests", ["FoveaModels", "FoveaTestKit"])
tests("FoveaTorchTests", ["FoveaTorch", "FoveaTestKit"], exclude: ["make_golden.py"], resources: [.copy("Golden")])
tests("FoveaExchangeTests", ["FoveaExchange", "FoveaTestKit"])
tests("FoveaPipelineTests", ["FoveaPipeline", "FoveaWorker", "FoveaTestKit"])
tests("FoveaControlTests", ["FoveaControl", "FoveaCLI", "FoveaTestKit"])
tests("FoveaHistoryTests", ["FoveaHistory", "FoveaTestKit", grdb])
tests("FoveaRetrainingTests", ["FoveaRetraining", "FoveaTestKit"])
tests("FoveaDaemonTests", ["FoveaDaemon", "FoveaTestKit"])
tests("PluginABITests", ["FoveaPipeline", "FoveaTestKit"])
tests("FoveaCLITests", ["FoveaCLI", "FoveaTraining"])
tests("FoveaTrainingTests", ["FoveaTraining", "FoveaTestKit"])
tests("FoveaReportTests", ["FoveaReport", "FoveaTestKit"])
tests("EndToEndTests", ["FoveaControl", "FoveaData", "FoveaModels", "FoveaPipeline", "FoveaTestKit"])

// MARK: - Settings, the same for every Swift target

/// The targets in C; the system's libraries are known by their type.
let targetsInC: Set = [
    "CFoveaPlugin", "CLinux", "COpenBLAS", "CPNG", "CJPEG", "CHTTP", "CKernels", "CAllocations", "ExampleC",
]

for target in package.targets where target.type != .system && !targetsInC.contains(target.name) {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .swiftLanguageMode(.v6),
            .treatAllWarnings(as: .error),
            .enableUpcomingFeature("ExistentialAny"),
        ]
}
