import FoveaImage
import FoveaModels
import FoveaPipeline
import FoveaSystem
import FoveaTestKit
import Glibc
import SystemPackage
import Testing

/// The worker as a process, with a model made for the occasion.
@Suite struct WorkerTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func hello() throws {
        let client = try startWorker(model: ColourModel(in: folder).path)
        let hello = try client.waitForHello()
        #expect(hello.model?.name == "colours" && hello.model?.sha256.count == 64)
        #expect(hello.labels == ColourModel.labels)
        #expect(hello.stages.map(\.plugin) == ["sharpen", "normalize", "example-c"])
        #expect(hello.chain.hasPrefix("sharpen(amount=1) 1.0.0 → normalize(mode=signed) 1.0.0 → example-c("))
        #expect(hello.sandbox.contains("seccomp") && hello.sandbox.contains("rlimits"))
        #expect(hello.goldenDifference == 0 && hello.residentBytes > 1 << 20 && hello.timings.load > 0)
        try client.send(.stop)
        #expect(throws: WorkerClientError.ended) { try client.next(timeout: .seconds(20)) }
        #expect(client.process.wait() == .exited(0))
    }

    @Test func scoresAreThoseOfTheChainInAnyBatch() throws {
        let images = (0..<20).map {
            SyntheticImage.blob(
                width: 8, height: 8, red: $0 * 37 % 256, green: $0 * 91 % 256, blue: $0 * 53 % 256, seed: UInt64($0))
        }
        let files = try images.map { try memory($0.png) }
        defer { for file in files { try? file.close() } }
        let expected = try ColourModel.reference().process(images.flatMap(\.pixels))
        let model = try ColourModel(in: folder)
        for batch in [1, 3, 20] {
            let client = try startWorker(model: model.path, batch: batch)
            defer { client.end() }
            try client.waitForHello()
            let outcomes = try client.classify(descriptors: files)
            #expect(outcomes.count == 20)
            for (i, outcome) in outcomes.enumerated() {
                let scores = try outcome.get()
                #expect(scores.probabilities == Array(expected[i * 3..<i * 3 + 3]))
                #expect(scores.facts.sha256 == Digest.sha256(images[i].png) && scores.facts.format == .png)
                #expect(scores.facts.bytes == images[i].png.count && scores.facts.width == 8)
            }
        }
    }

    @Test func brokenImagesFailAlone() throws {
        let red = SyntheticImage.blob(width: 30, height: 50, red: 250, green: 5, blue: 5, seed: 1)
        let blue = SyntheticImage.blob(width: 9, height: 7, red: 5, green: 5, blue: 250, seed: 2)
        let contents: [[UInt8]] = [
            red.png, Array("no image".utf8), Array(red.png.prefix(100)), blue.jpeg, [],
            SyntheticImage.noise(width: 300, height: 300, seed: 1).png,
        ]
        let files = try contents.map(memory)
        defer { for file in files { try? file.close() } }
        let client = try startWorker(
            model: ColourModel(in: folder).path, limits: WorkerLimits(bytes: 100_000, side: 250, pixels: 50_000))
        defer { client.end() }
        try client.waitForHello()
        let outcomes = try client.classify(descriptors: files)
        func label(_ i: Int) throws -> String {
            let scores = try outcomes[i].get().probabilities
            return ColourModel.labels[scores.firstIndex(of: scores.max()!)!]
        }
        func code(_ i: Int) -> String? { if case .failure(let fault) = outcomes[i] { fault.code } else { nil } }
        #expect(try label(0) == "red")
        #expect(code(1) == "not-an-image")
        #expect(code(2) == "truncated")
        #expect(try label(3) == "blue" && outcomes[3].get().facts.format == .jpeg)
        #expect(code(4) != nil)
        #expect(code(5) == "too-large")
        #expect(try client.classify(descriptors: [files[1]]).count == 1)
    }

    @Test func previewAndDecode() throws {
        let picture = SyntheticImage.gradient(width: 400, height: 100)
        let file = try memory(picture.png)
        defer { try? file.close() }
        let client = try startWorker(model: ColourModel(in: folder).path)
        defer { client.end() }
        try client.waitForHello()
        let preview = try client.preview(file)
        #expect(preview.width == 8 && preview.height == 8 && preview.facts.width == 400)
        let thumbnail = try ImageDecoder.decodeFull(preview.thumbnailPNG)
        #expect(thumbnail.width == 200 && thumbnail.height == 50)
        #expect(try ImageDecoder.decodeFull(preview.seenPNG).pixels == preview.seen)
        var filtered = try ImageDecoder.decode(picture.png, target: ImageTarget(height: 8, width: 8)).image.pixels
        try filtered.withUnsafeMutableBufferPointer {
            try ColourModel.reference().applyFilters($0.baseAddress!, count: 1)
        }
        #expect(preview.seen == filtered)
    }

    /// Preview and scores are of the picture that the model's framing leaves: the red middle between blue ends.
    @Test func framesAsTheModelSays() throws {
        let target = ImageTarget(height: 8, width: 8, framing: .crop(share: 0.875), resample: .bicubic)
        let row = [UInt8](repeating: 0, count: 300).indices.flatMap { (x: Int) -> [UInt8] in
            (100..<200).contains(x) ? [255, 0, 0] : [0, 0, 255]
        }
        let picture = RGBImage(width: 300, height: 80, pixels: (0..<80).flatMap { _ in row })
        let file = try memory(picture.png)
        defer { try? file.close() }
        let other = try TemporaryFolder()
        defer { withExtendedLifetime(other) {} }
        for (model, label) in [
            (try ColourModel(in: folder), "blue"),
            (try ColourModel(in: other, framing: target.framing, resample: target.resample), "red"),
        ] {
            let client = try startWorker(model: model.path)
            defer { client.end() }
            try client.waitForHello()
            let scores = try client.classify(descriptors: [file])[0].get().probabilities
            #expect(ColourModel.labels[scores.firstIndex(of: scores.max()!)!] == label)
            if label == "red" {
                var seen = try ImageDecoder.decode(picture.png, target: target).image.pixels
                try seen.withUnsafeMutableBufferPointer {
                    try ColourModel.reference().applyFilters($0.baseAddress!, count: 1)
                }
                #expect(try client.preview(file).seen == seen)
            }
            #expect(
                try client.decode(descriptors: [file], as: target)[0].get().pixels
                    == ImageDecoder.decode(picture.png, target: target).image.pixels)
        }
    }

    @Test func decodesWithoutAModel() throws {
        let pictures = (0..<40).map { SyntheticImage.noise(width: 20 + $0, height: 30, seed: UInt64($0)) }
        let files = try pictures.map { try memory($0.png) }
        defer { for file in files { try? file.close() } }
        let client = try startWorker(model: nil)
        defer { client.end() }
        #expect(try client.waitForHello().model == nil)
        for (picture, outcome) in zip(
            pictures, try client.decode(descriptors: files, as: ImageTarget(height: 16, width: 32)))
        {
            #expect(
                try outcome.get().pixels
                    == ImageDecoder.decode(picture.png, target: ImageTarget(height: 16, width: 32)).image.pixels)
        }
        // 1.7 MB of pixels: many frames.
        let large = try client.decode(
            descriptors: [files[0]], as: ImageTarget(height: 600, width: 1000))
        #expect(try large[0].get().pixels.count == 1_800_000)
        #expect(throws: WorkerFault.self) { try client.preview(files[0]) }
        guard case .failure(let fault)? = try client.classify(descriptors: [files[0]]).first else {
            Issue.record("classified without a model")
            return
        }
        #expect(fault.code == "no-model")
    }

    @Test func badModelsAreRefused() throws {
        func refusal(_ path: FilePath, plugins: [FilePath] = []) -> String? {
            do {
                let client = try startWorker(model: path, plugins: plugins)
                defer { client.end() }
                try client.waitForHello()
                return nil
            } catch WorkerClientError.fault(let fault) {
                return fault.code
            } catch {
                return "\(error)"
            }
        }
        #expect(refusal(folder.path.appending("nowhere")) == "model")
        let wrong = try ColourModel(in: folder, goldenScores: [1, 0, 0, 1, 0, 0]).path
        #expect(refusal(wrong) == "golden")
        let other = try TemporaryFolder()
        #expect(refusal(try ColourModel(in: other, sharpness: -1).path) == "plugin")
        let damaged = try TemporaryFolder()
        let path = try ColourModel(in: damaged).path
        #expect(refusal(path) == nil)
        try damaged.write("model/golden.safetensors", [1, 2, 3])
        #expect(refusal(path) == "model")
    }

    /// Sure of the first label; the unknown-ness is `expression` in C of the first value of an image, from -1 to 1.
    private func compileGauge(_ expression: String) throws {
        try compilePlugin(
            "gauge",
            """
            #include "fovea_plugin.h"
            #include <math.h>
            static float kept[300];
            static fovea_status create(const fovea_create_args *a, fovea_instance **i, fovea_error *e) {
                (void)a; (void)e; *i = (fovea_instance *)kept; return FOVEA_OK;
            }
            static void destroy(fovea_instance *i) { (void)i; }
            static fovea_status process(fovea_instance *i, fovea_shape s, const void *in, void *out, fovea_error *e) {
                (void)i; (void)e;
                for (int n = 0; n < s.count; n++) {
                    kept[n] = ((const float *)in)[(long)n * s.height * s.width * 3];
                    float *row = (float *)out + n * 3;
                    row[0] = 1; row[1] = row[2] = 0;
                }
                return FOVEA_OK;
            }
            static fovea_status told(fovea_instance *i, int32_t count, float *output, fovea_error *e) {
                (void)i; (void)e;
                for (int n = 0; n < count; n++) { float x = kept[n]; output[n] = \(expression); }
                return FOVEA_OK;
            }
            static const fovea_plugin plugin = {
                .abi_version = FOVEA_ABI_VERSION, .struct_size = sizeof(fovea_plugin), .kind = FOVEA_CLASSIFIER,
                .name = "gauge", .version = "1", .description = "test", .create = create, .destroy = destroy,
                .process = process, .unknownness = told};
            FOVEA_EXPORT const fovea_plugin *fovea_plugin_entry(const fovea_host *h) { (void)h; return &plugin; }
            """, in: folder)
    }

    private func gauge(_ expression: String) throws -> WorkerClient {
        try compileGauge(expression)
        let model = try TemporaryFolder()
        let path = try ColourModel(in: model, goldenScores: [1, 0, 0, 1, 0, 0], classifier: "gauge").path
        let client = try startWorker(model: path, plugins: [folder.path])
        try withExtendedLifetime(model) { _ = try client.waitForHello() }
        return client
    }

    /// One even image of each brightness.
    private func unknownness(_ client: WorkerClient, of greys: [UInt8]) throws -> [Result<Float?, WorkerFault>] {
        let files = try greys.map { grey in
            try memory(
                TestPNG(
                    width: 8, height: 8, colorType: .rgb, samples: [Int](repeating: Int(grey), count: 192)
                ).bytes)
        }
        defer { for file in files { try? file.close() } }
        return try client.classify(descriptors: files).map { $0.map(\.unknownness) }
    }

    @Test func unknownnessComesWithTheScores() throws {
        let client = try gauge("x + 1")
        defer { client.end() }
        #expect(client.hello?.tellsUnknown == true)
        #expect(try unknownness(client, of: [0, 255, 0]).map { try $0.get() } == [0, 2, 0])
        let silent = try gauge("FOVEA_UNKNOWNNESS_UNTOLD")
        defer { silent.end() }
        #expect(silent.hello?.tellsUnknown == false)
        #expect(try unknownness(silent, of: [0, 255]).map { try $0.get() } == [nil, nil])
    }

    /// An unknown-ness that is none costs its image, as scores that are none do; one in the golden set costs the model.
    @Test func anUnknownnessThatIsNoneFailsItsImage() throws {
        for wrong in ["x == 1 ? NAN : 0.5f", "x == 1 ? -3 : 0.5f", "x == 1 ? FOVEA_UNKNOWNNESS_UNTOLD : 0.5f"] {
            let client = try gauge(wrong)
            defer { client.end() }
            let answers = try unknownness(client, of: [0, 255, 9])
            #expect(try answers[0].get() == 0.5 && answers[2].get() == 0.5)
            guard case .failure(let fault) = answers[1] else {
                Issue.record("\(wrong) was taken")
                continue
            }
            #expect(fault.code == "scores" && fault.text.contains("unknown-ness"), "\(fault)")
        }
        // Alone in its batch it looks as if the model could not tell, which it said it can.
        let client = try gauge("x == 1 ? FOVEA_UNKNOWNNESS_UNTOLD : 0.5f")
        defer { client.end() }
        guard case .failure(let fault) = try unknownness(client, of: [255])[0] else {
            Issue.record("an image without its unknown-ness was taken")
            return
        }
        #expect(fault.text.contains("no unknown-ness"))
        do {
            let refused = try gauge("NAN")
            refused.end()
            Issue.record("a model whose golden set has no numbers serves")
        } catch WorkerClientError.fault(let fault) {
            #expect(fault.code == "scores" && fault.text.contains("not a number"), "\(fault)")
        }
    }

    @Test func endsWithItsSocket() throws {
        let client = try startWorker(model: ColourModel(in: folder).path)
        try client.waitForHello()
        client.process.signal(SIGTERM)
        let file = try memory(SyntheticImage.gradient(width: 8, height: 8).png)
        defer { try? file.close() }
        // A batch is not cut off by a SIGTERM to the whole service.
        #expect(try client.classify(descriptors: [file]).count == 1)
        // Closing it is the client's: closed twice it would be somebody else's descriptor.
        #expect(shutdown(client.socket.rawValue, Int32(SHUT_RDWR)) == 0)
        #expect(client.process.wait() == .exited(0))
    }
}
