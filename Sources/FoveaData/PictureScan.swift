import FoveaImage
import FoveaModels
import FoveaSystem
import Synchronization

/// Opens every file of labelled folders once: its digest, its size, whether it decodes as a whole, and what it looks like.
struct PictureScan: Sendable {
    /// What is known of one file.
    struct Found: Sendable {
        let sha256: String
        let info: ImageInfo
        let thumbprint: Thumbprint
    }

    /// In the order of the files.
    let outcomes: [Result<Found, RefusedFile>]

    /// - Parameters:
    ///   - progress: files done; called now and then, from any thread.
    init(_ files: [ClassFolders.File], limits: ImageLimits, progress: @Sendable (Int) -> Void = { _ in }) {
        let done = Atomic<Int>(0)
        let results = Mutex<[Result<Found, RefusedFile>?]>(
            [Result<Found, RefusedFile>?](repeating: nil, count: files.count))
        Parallel.forEach(files.count) { index in
            let outcome = Self.look(files[index], limits)
            results.withLock { $0[index] = outcome }
            progress(done.add(1, ordering: .relaxed).newValue)
        }
        outcomes = results.withLock { $0 }.map { $0! }
    }

    private static func look(_ file: ClassFolders.File, _ limits: ImageLimits) -> Result<Found, RefusedFile> {
        do throws(RefusedFile) {
            let bytes = try Picture.read(file.path, limits: limits)
            do throws(ImageError) {
                let (image, info) = try ImageDecoder.decode(bytes, target: Thumbprint.target, limits: limits)
                return .success(
                    Found(
                        sha256: hexadecimal(Digest.sha256(bytes)), info: info, thumbprint: Thumbprint(image)))
            } catch {
                throw RefusedFile(path: file.path.escaped, reason: error.description)
            }
        } catch {
            return .failure(error)
        }
    }
}
