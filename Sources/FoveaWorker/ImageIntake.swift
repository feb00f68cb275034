import FoveaImage
import FoveaModels
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

    /// Decodes to the target's height × width × 3 bytes at `pixels`.
    func decode(
        _ file: File, as target: ImageTarget, into pixels: UnsafeMutablePointer<UInt8>
    ) -> Result<ImageFacts, WorkerFault> {
        file.bytes.withUnsafeBytes { bytes in
            do throws(ImageError) {
                let info = try ImageDecoder.decode(bytes, target: target, limits: limits, into: pixels)
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
    func pixels(_ descriptor: FileDescriptor, as target: ImageTarget) -> Result<WorkerPixels, WorkerFault> {
        read(descriptor).flatMap { file in
            var pixels = [UInt8](repeating: 0, count: target.bytes)
            return pixels.withUnsafeMutableBufferPointer {
                decode(file, as: target, into: $0.baseAddress!)
            }.map { WorkerPixels(facts: $0, width: target.width, height: target.height, pixels: pixels) }
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
        let target = ImageTarget(
            height: max(1, info.height * Self.thumbnailSide / longest),
            width: max(1, info.width * Self.thumbnailSide / longest))
        var pixels = [UInt8](repeating: 0, count: target.bytes)
        return pixels.withUnsafeMutableBufferPointer {
            decode(file, as: target, into: $0.baseAddress!)
        }.map { ($0, PNGEncoder.encode(pixels, width: target.width, height: target.height)) }
    }
}

extension WorkerFault {
    init(_ error: ImageError) { self.init(code: error.name, text: error.description) }
}

func microseconds(since start: ContinuousClock.Instant) -> Int { Int((.now - start) / .microseconds(1)) }
