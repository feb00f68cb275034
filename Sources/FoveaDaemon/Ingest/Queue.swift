/// First in, first out, in an array whose used-up front is cut off now and then.
package struct Queue<Element> {
    private var elements: [Element] = []
    private var start = 0

    package init() {}

    package var first: Element? { start < elements.count ? elements[start] : nil }
    package var count: Int { elements.count - start }
    package var isEmpty: Bool { count == 0 }
    package var all: ArraySlice<Element> { elements[start...] }

    package mutating func append(_ element: Element) { elements.append(element) }

    /// Puts elements before all others.
    package mutating func prepend(contentsOf new: [Element]) {
        elements = new + elements[start...]
        start = 0
    }

    package mutating func removeFirst() -> Element {
        defer {
            start += 1
            if start == elements.count || start > 4096 {
                elements.removeFirst(start)
                start = 0
            }
        }
        return elements[start]
    }
}
