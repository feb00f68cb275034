import FoveaImage
import FoveaPipeline
import FoveaSystem
import SystemPackage

/// From a descriptor to pixels. The bytes are hostile; this runs in a sealed worker.
struct ImageIntake {
    let limits: ImageLimits

    init(_ limits: WorkerLimits) {
        self.limits = ImageLimits(bytes: limits.bytes, side: limits.side, pixels: limits.pixels)
    }

    /// A file's bytes and what they hash to.
    struct File {
        let bytes: [UInt8]
        let sha256: [UInt8]
        let readMicroseconds: Int
    }

    /// Reads all of a file.
    func read(_ descriptor: FileDescriptor) -> Result<File, WorkerFault> {
        let start = ContinuousClock.now
        do throws(ImageError) {
            let bytes = try ImageDecoder.read(descriptor: descriptor.rawValue, limits: limits)
            let hash = Digest.sha256(bytes)
            return .success(File(bytes: bytes, sha256: hash, readMicroseconds: microseconds(since: start)))
        } catch {
            return .failure(WorkerFault(error))
        }
    }

    /// Decodes and resizes to height × width × 3 bytes at `pixels`.
    func decode(
        _ file: File, height: Int, width: Int, into pixels: UnsafeMutablePointer<UInt8>
    ) -> Result<ImageFacts, WorkerFault> {
        file.bytes.withUnsafeBytes { bytes in
            do throws(ImageError) {
                let info = try ImageDecoder.decode(bytes, height: height, width: width, limits: limits, into: pixels)
                return .success(
                    ImageFacts(
                        width: info.width, height: info.height, bytes: file.bytes.count, sha256: file.sha256,
                        format: info.format == .png ? .png : .jpeg))
            } catch {
                return .failure(WorkerFault(error))
            }
        }
    }

    /// Both in one: what `decode` is asked for.
    func pixels(_ descriptor: FileDescriptor, width: Int, height: Int) -> Result<WorkerPixels, WorkerFault> {
        read(descriptor).flatMap { file in
            var pixels = [UInt8](repeating: 0, count: width * height * 3)
            return pixels.withUnsafeMutableBufferPointer {
                decode(file, height: height, width: width, into: $0.baseAddress!)
            }.map { WorkerPixels(facts: $0, width: width, height: height, pixels: pixels) }
        }
    }

    /// The largest side of a thumbnail.
    static let thumbnailSide = 200

    /// A PNG of the whole picture in its proportions, encoded anew: nothing of the original bytes is in it.
    func thumbnail(_ file: File) -> Result<(facts: ImageFacts, png: [UInt8]), WorkerFault> {
        let info: ImageInfo
        do throws(ImageError) {
            info = try file.bytes.withUnsafeBufferPointer { bytes throws(ImageError) in
                try ImageDecoder.inspect(UnsafeRawBufferPointer(bytes), limits: limits)
            }
        } catch {
            return .failure(WorkerFault(error))
        }
        let longest = max(info.width, info.height, Self.thumbnailSide)
        let width = max(1, info.width * Self.thumbnailSide / longest)
        let height = max(1, info.height * Self.thumbnailSide / longest)
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        return pixels.withUnsafeMutableBufferPointer {
            decode(file, height: height, width: width, into: $0.baseAddress!)
        }.map { ($0, PNGEncoder.encode(pixels, width: width, height: height)) }
    }
}

extension WorkerFault {
    init(_ error: ImageError) { self.init(code: error.name, text: error.description) }
}

func microseconds(since start: ContinuousClock.Instant) -> Int { Int((.now - start) / .microseconds(1)) }
