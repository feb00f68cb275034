// The binary layout of CIFAR-100 (Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html):
//
//   0       1       2 ─────────── 1026 ─────────── 2050 ─────────── 3074
//   │coarse │fine   │ red, 32×32  │ green, 32×32   │ blue, 32×32    │ next record
//
// There is no header and no count: a file is whole when it ends between two records.

/// Bytes in the order of a file, from wherever they come.
protocol ByteSource {
    /// Fills the buffer from its start; fewer bytes only at the end.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(DataError) -> Int
}

/// One of the archive's two record files.
struct CIFARRecords {
    static let size = 3074
    static let side = 32
    static let labels = 100
    static let superclasses = 20
    /// Twenty times the official training file; more is no CIFAR.
    static let mostRecords = 1_000_000

    var images = LabelledImages(height: side, width: side)
    /// For each label the superclass that its records name, -1 where there was none.
    var superclassOf = [Int](repeating: -1, count: labels)

    /// Reads records to the end of `source`.
    ///
    /// - Parameter name: the file, for errors.
    init(reading source: inout some ByteSource, name: String) throws(DataError) {
        let piece = Self.size * 512
        var buffer = [UInt8](repeating: 0, count: piece)
        var offset = 0
        while true {
            var count = 0
            try buffer.withUnsafeMutableBufferPointer { buffer throws(DataError) in
                count = try source.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            for start in stride(from: 0, to: count, by: Self.size) {
                guard count - start >= Self.size else {
                    throw DataError(
                        .truncated,
                        "\(name): the record at byte \(offset + start) has \(count - start) of \(Self.size) bytes: "
                            + "the file was cut off or is not CIFAR-100")
                }
                try take(buffer, start, name, offset + start)
            }
            offset += count
            if images.count > Self.mostRecords {
                throw DataError(.foreign, "\(name): more than \(Self.mostRecords) records: this is not CIFAR-100")
            }
            if count < piece { break }
        }
        if images.count == 0 { throw DataError(.truncated, "\(name): the file is empty") }
    }

    private mutating func take(_ buffer: [UInt8], _ start: Int, _ name: String, _ offset: Int) throws(DataError) {
        let (coarse, fine) = (Int(buffer[start]), Int(buffer[start + 1]))
        guard coarse < Self.superclasses else {
            throw DataError(
                .corrupt, "\(name): coarse label \(coarse) at byte \(offset), 0 to \(Self.superclasses - 1) are there")
        }
        guard fine < Self.labels else {
            throw DataError(
                .corrupt, "\(name): fine label \(fine) at byte \(offset + 1), 0 to \(Self.labels - 1) are there")
        }
        guard superclassOf[fine] == -1 || superclassOf[fine] == coarse else {
            throw DataError(
                .corrupt,
                "\(name): fine label \(fine) at byte \(offset + 1) has coarse label \(coarse), "
                    + "in records before it \(superclassOf[fine])")
        }
        superclassOf[fine] = coarse
        images.labels.append(UInt16(fine))
        let plane = Self.side * Self.side
        buffer.withUnsafeBufferPointer { buffer in
            let red = buffer.baseAddress! + start + 2
            let interleaved = [UInt8](unsafeUninitializedCapacity: plane * 3) { to, filled in
                for i in 0..<plane {
                    to[3 * i] = red[i]
                    to[3 * i + 1] = red[plane + i]
                    to[3 * i + 2] = red[2 * plane + i]
                }
                filled = plane * 3
            }
            images.pixels += interleaved
        }
    }
}
