/// Memory for what an image needs on its way: taken piece by piece, given back all at once, and taken again for the next
/// image, so that nothing is allocated for an image.
///
/// It is as large as what was taken at most. For one thread at a time.
package final class Scratch {
    private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    private var taken = 0
    /// What did not fit.
    private var beside: [UnsafeMutableRawPointer] = []

    private static let alignment = 64

    package init() {}

    /// Uninitialised memory, until `giveBack`.
    func take<Element: BitwiseCopyable>(_ count: Int, of type: Element.Type) -> UnsafeMutableBufferPointer<Element> {
        let bytes = (count * MemoryLayout<Element>.stride + Self.alignment - 1) / Self.alignment * Self.alignment
        defer { taken += bytes }
        let start: UnsafeMutableRawPointer
        if taken + bytes <= memory.count {
            start = memory.baseAddress! + taken
        } else {
            start = .allocate(byteCount: bytes, alignment: Self.alignment)
            beside.append(start)
        }
        return UnsafeMutableBufferPointer(start: start.bindMemory(to: Element.self, capacity: count), count: count)
    }

    /// All that was taken.
    func giveBack() {
        if !beside.isEmpty {
            for piece in beside { piece.deallocate() }
            beside.removeAll()
            memory.deallocate()
            memory = .allocate(byteCount: taken, alignment: Self.alignment)
        }
        taken = 0
    }

    deinit {
        for piece in beside { piece.deallocate() }
        memory.deallocate()
    }
}
