import FoveaImage
import FoveaModels

/// Files to pixels of the model's size, on one thread, from memory.
enum DecodeBench {
    static func run(_ report: Report, _ effort: Effort) throws {
        report.begin("decode", "file in memory → 32×32 RGB, one thread")
        let files: [(String, [[UInt8]])] = [
            ("PNG 32×32", (0..<64).map { Pictures.png(width: 32, height: 32, seed: $0) }),
            ("PNG 500×375", (0..<4).map { Pictures.png(width: 500, height: 375, seed: $0) }),
            ("JPEG 500×375", (0..<4).map { Pictures.jpeg(width: 500, height: 375, seed: $0) }),
            ("JPEG 4000×3000, 12 megapixels", [Pictures.jpeg(width: 4000, height: 3000, seed: 1)]),
        ]
        var pixels = [UInt8](repeating: 0, count: 32 * 32 * 3)
        for (name, files) in files {
            let rates = try pixels.withUnsafeMutableBufferPointer { pixels in
                try effort.rates {
                    for file in files {
                        try file.withUnsafeBytes {
                            _ = try ImageDecoder.decode(
                                $0, target: ImageTarget(height: 32, width: 32), into: pixels.baseAddress!)
                        }
                    }
                    return files.count
                }
            }
            let kilobytes = files.reduce(0) { $0 + $1.count } / files.count / 1000
            report.add(Figure("decode", "\(name), \(max(1, kilobytes)) kB", unit: "images/s", rates))
        }
    }
}
