import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage

/// Where `swift build` put the plugins and programs: the folder of the test binary, or one above it.
func productsFolder() -> FilePath {
    for start in [try? Files.resolve(FilePath(CommandLine.arguments[0])), programDirectory()] {
        var at = start ?? "/"
        while !at.isEmpty, at != "/" {
            if (try? Files.statusIfPresent(at.appending("libfovea-sharpen.so"))) ?? nil != nil { return at }
            at = at.removingLastComponent()
        }
    }
    return programDirectory()
}

func packageFolder(_ file: String = #filePath) -> FilePath {
    FilePath(file).removingLastComponent().removingLastComponent().removingLastComponent()
}

/// Compiles C to a plugin in the folder.
func compilePlugin(_ name: String, _ source: String, in folder: TemporaryFolder) throws {
    let input = try folder.write("\(name).c", Array(source.utf8))
    let child = try ChildProcess(
        executable: "/usr/bin/cc",
        arguments: [
            "-std=gnu11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread", "-I",
            packageFolder().pushing("Sources/CFoveaPlugin/include").string, "-o",
            folder.path.appending("libfovea-\(name).so").string, input.string,
        ], environment: ["PATH=/usr/bin:/bin"])
    guard child.wait() == .exited(0) else { throw SystemError("cc", input.escaped, errno: .invalidArgument) }
}

/// Opens a memfd with these bytes.
func memory(_ bytes: [UInt8]) throws -> FileDescriptor {
    let file = try memoryFile("test")
    try Files.write(bytes, to: file)
    return file
}

/// A model that tells red, green and blue apart by example-c, 8×8, in `folder`/model.
struct ColourModel {
    static let labels = ["red", "green", "blue"]
    let path: FilePath

    /// - Parameter classifier: another classifier than example-c, which gives the golden scores as they are here.
    init(
        in folder: TemporaryFolder, goldenScores: [Float]? = nil, sharpness: Int = 3, classifier: String? = nil,
        framing: Framing = .stretch, resample: Resample = .bilinear
    ) throws {
        path = folder.path.appending("model")
        try Files.makeDirectory(path)
        let configuration = ModelConfiguration(
            name: "colours", version: "1", description: "test", labels: Self.labels,
            input: .init(height: 8, width: 8, framing: framing, resample: resample),
            chain: classifier.map { Self.chain().dropLast() + [StageConfiguration(plugin: $0)] }
                ?? Self.chain(sharpness: sharpness))
        let inputs = SyntheticImage.noise(width: 8, height: 16, seed: 1).pixels
        let scores = try goldenScores ?? Self.reference().process(inputs)
        try ModelFolder.write(
            path, configuration: configuration, weights: nil,
            golden: GoldenSet(count: 2, height: 8, width: 8, classes: 3, inputs: inputs, scores: scores))
    }

    static func chain(sharpness: Int = 3) -> [StageConfiguration] {
        let colours = [1, -1, -1, -1, 1, -1, -1, -1, 1].map { JSONValue.int($0) }
        return [
            StageConfiguration(plugin: "sharpen", parameters: .object(["amount": .int(1)])),
            StageConfiguration(plugin: "normalize", parameters: .object(["mode": .string("signed")])),
            StageConfiguration(
                plugin: "example-c",
                parameters: .object(["colours": .array(colours), "sharpness": .int(sharpness)])),
        ]
    }

    /// The same chain in this process.
    static func reference(maxCount: Int = 4) throws -> Chain {
        try Chain(
            chain(), shape: ImageShape(height: 8, width: 8), classes: 3, maxCount: maxCount,
            search: PluginSearch([productsFolder()]))
    }
}

func startWorker(
    model: FilePath?, plugins: [FilePath] = [], batch: Int = 8, sandbox: Bool = true,
    limits: WorkerLimits = WorkerLimits()
) throws -> WorkerClient {
    try WorkerClient(
        start: WorkerStart(
            model: model, plugins: plugins + [productsFolder()], limits: limits, batch: batch, sandbox: sandbox),
        executable: productsFolder().appending("fovea-worker"))
}
