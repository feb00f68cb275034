import FoveaImage
import FoveaModels
import FoveaSystem
import Glibc
import SystemPackage

/// A picture of a data set as it is kept: its own bytes in a file, and what is known of it without them.
package struct Picture: Sendable, Equatable {
    package let file: FilePath
    /// Index of the label.
    package var label: Int
    /// What it is called: `label/file` below the folder that it came from, printable.
    package let name: String
    /// SHA-256 of the file's bytes, in hexadecimal digits.
    package let sha256: String
    /// The key that near-duplicates share; see `NearDuplicates`.
    package var group: UInt64
    /// Pixels as shown.
    package let width: Int
    package let height: Int
    package let format: ImageFormat

    /// The first eight bytes of the digest.
    var key: UInt64 { UInt64(sha256.prefix(16), radix: 16) ?? 0 }

    /// The bytes of a file that shall be a picture.
    ///
    /// - Throws: `RefusedFile` with a sentence for people.
    package static func read(_ path: FilePath, limits: ImageLimits) throws(RefusedFile) -> [UInt8] {
        func refuse(_ reason: String) -> RefusedFile { RefusedFile(path: path.escaped, reason: reason) }
        let descriptor: FileDescriptor
        let isFile: Bool
        do throws(SystemError) {
            descriptor = try Files.open(path, O_RDONLY | O_NONBLOCK)
            isFile = (try? Files.status(of: descriptor))?.isRegular == true
        } catch {
            throw refuse(error.description)
        }
        defer { try? descriptor.close() }
        guard isFile else { throw refuse("not a file") }
        do throws(ImageError) {
            return try ImageDecoder.read(descriptor: descriptor.rawValue, limits: limits)
        } catch {
            throw refuse(error.description)
        }
    }

    /// The picture in a file, as `target` says.
    package static func decode(
        _ path: FilePath, as target: ImageTarget, limits: ImageLimits
    ) throws(RefusedFile) -> RGBImage {
        let bytes = try read(path, limits: limits)
        do throws(ImageError) {
            return try ImageDecoder.decode(bytes, target: target, limits: limits).image
        } catch {
            throw RefusedFile(path: path.escaped, reason: error.description)
        }
    }

    /// Decodes into memory of the caller's.
    ///
    /// - Parameter pixels: the target's height × width × 3 bytes.
    package func decode(
        as target: ImageTarget, limits: ImageLimits, into pixels: UnsafeMutablePointer<UInt8>
    ) throws(RefusedFile) {
        let bytes = try Self.read(file, limits: limits)
        do throws(ImageError) {
            try bytes.withUnsafeBufferPointer { bytes throws(ImageError) in
                _ = try ImageDecoder.decode(UnsafeRawBufferPointer(bytes), target: target, limits: limits, into: pixels)
            }
        } catch {
            throw RefusedFile(path: file.escaped, reason: error.description)
        }
    }
}
