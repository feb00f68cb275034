/// Where a training's images come from. Called on a thread of the trainer's own, one call at a time.
package protocol TrainingSource: Sendable {
    /// Images there are.
    var count: Int { get }

    /// Writes the images with these indices, prepared as the network takes them.
    ///
    /// - Parameters:
    ///   - images: indices.count × height × width × channels floats, to be overwritten.
    ///   - labels: indices.count classes.
    ///   - epoch: from 0.
    ///   - random: all randomness comes from here; a source without augmentation leaves it alone. The same state must
    ///     give the same images.
    func fill(
        _ images: UnsafeMutablePointer<Float>, labels: UnsafeMutablePointer<Int32>, indices: ArraySlice<Int>,
        epoch: Int, random: inout SeededGenerator) throws
}
