import CKernels

typealias Floats = UnsafeMutablePointer<Float>

/// Zeroed, 64-byte aligned memory for one kind of floats (parameters, gradients, activations), handed out in pieces.
///
/// Laid out first (`reserve`), allocated once (`allocate`), then addressed by offset.
final class Arena {
    private(set) var count = 0
    private(set) var base: Floats?
    private var owner: Arena?

    /// The offset of `floats` new elements, on a 64-byte boundary.
    func reserve(_ floats: Int) -> Int {
        let offset = count
        count += (floats + 15) / 16 * 16
        return offset
    }

    func allocate() {
        precondition(base == nil)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(64, count * 4), alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: max(64, count * 4))
        base = raw.bindMemory(to: Float.self, capacity: count)
    }

    /// Lies where another one lies, which is at least as large.
    func share(_ other: Arena) {
        precondition(base == nil && count <= other.count)
        base = other.base
        owner = other
    }

    subscript(offset: Int) -> Floats { base! + offset }

    deinit { if owner == nil { base?.deallocate() } }
}

/// Columns of packed operands; see CKernels.
enum Panels {
    static let leftWidth = Int32(CK_PANEL)

    /// Columns of a packed left operand with `columns` of them.
    static func left(_ columns: Int) -> Int { (columns + Int(leftWidth) - 1) / Int(leftWidth) * Int(leftWidth) }

    /// Columns of a packed right operand with `columns` of them.
    static func right(_ columns: Int) -> Int {
        let width = Int(ck_columns())
        return (columns + width - 1) / width * width
    }
}
