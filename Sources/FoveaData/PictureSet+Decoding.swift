import FoveaImage
import FoveaModels
import FoveaSystem
import Synchronization

extension PictureSet {
    /// Decodes pictures side by side, on all processors.
    ///
    /// - Parameter pixels: the target's bytes for each picture, in their order.
    /// - Returns: the first picture, in their order, that cannot be read.
    static func decode(
        _ pictures: [Picture], as target: ImageTarget, limits: ImageLimits, into pixels: UnsafeMutablePointer<UInt8>?
    ) -> RefusedFile? {
        guard let pixels else { return nil }
        // Each iteration writes to bytes of its own.
        nonisolated(unsafe) let start = pixels
        let failures = Mutex<[Int: RefusedFile]>([:])
        Parallel.forEach(pictures.count) { index in
            do throws(RefusedFile) {
                try pictures[index].decode(as: target, limits: limits, into: start + index * target.bytes)
            } catch {
                failures.withLock { $0[index] = error }
            }
        }
        return failures.withLock { $0.min { $0.key < $1.key }?.value }
    }
}
