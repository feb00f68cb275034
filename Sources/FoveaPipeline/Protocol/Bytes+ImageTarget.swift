import FoveaModels

// An `ImageTarget` in a message: width and height as u32, the framing's kind as u8 with its share as the bits of a Double
// or its colour as three u8, and the filter as u8.

extension ByteWriter {
    mutating func put(_ target: ImageTarget) {
        putCount(target.width)
        putCount(target.height)
        switch target.framing {
        case .stretch: put(0 as UInt8)
        case .crop(let share):
            put(1 as UInt8)
            put(share.bitPattern)
        case .fit(let fill):
            put(2 as UInt8)
            putRaw([fill.red, fill.green, fill.blue])
        }
        put(target.resample == .bilinear ? 0 : 1 as UInt8)
    }
}

extension ByteReader {
    mutating func takeTarget(largestSide: Int) throws(WorkerProtocolError) -> ImageTarget {
        let width = try takeCount("the width", limit: largestSide)
        let height = try takeCount("the height", limit: largestSide)
        guard width > 0, height > 0 else { throw WorkerProtocolError("a size of 0") }
        let framing: Framing
        switch try take(UInt8.self) {
        case 0: framing = .stretch
        case 1:
            let share = Double(bitPattern: try take())
            guard Framing.isShare(share) else { throw WorkerProtocolError("a share of \(share)") }
            framing = .crop(share: share)
        case 2:
            let fill = try takeRaw(3)
            framing = .fit(fill: RGBColour(fill[0], fill[1], fill[2]))
        case let kind: throw WorkerProtocolError("unknown framing \(kind)")
        }
        let resample: Resample
        switch try take(UInt8.self) {
        case 0: resample = .bilinear
        case 1: resample = .bicubic
        case let filter: throw WorkerProtocolError("unknown filter \(filter)")
        }
        return ImageTarget(height: height, width: width, framing: framing, resample: resample)
    }
}
