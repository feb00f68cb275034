import CKernels

/// What an image shall be: a label, or two where images were mixed.
package typealias Target = ck_target

extension Target {
    package init(_ label: Int32) { self.init(label: label, other: label, share: 0) }
}

/// What a training minimises.
package struct Loss: Sendable {
    /// The share of a label that is spread over all labels (Szegedy et al. 2016).
    package var smoothing: Float
    /// λ: the cross-entropy of the superclass counts so much, beside that of the class.
    package var hierarchy: Float
    /// The superclass of each class; nil: there are none.
    package var superclassOf: [Int32]?

    package init(smoothing: Float = 0, hierarchy: Float = 0, superclassOf: [Int32]? = nil) {
        (self.smoothing, self.hierarchy, self.superclassOf) = (smoothing, hierarchy, superclassOf)
    }

    /// Loss and gradient of a batch, on all threads.
    ///
    /// - Parameters:
    ///   - logits: count × classes.
    ///   - gradient: as many: the derivative of the mean loss.
    ///   - rows: 2 × count floats to work in.
    /// - Returns: the mean loss, and how many images have their label as the best one.
    func apply(
        _ logits: Floats, classes: Int, targets: UnsafePointer<Target>, count: Int, gradient: Floats, rows: Floats,
        _ pool: ThreadPool
    ) -> (loss: Double, hits: Int) {
        func apply(_ group: UnsafePointer<Int32>?) {
            let loss = ck_loss(smoothing: smoothing, hierarchy: hierarchy, group: group)
            pool.split(count) { _, range in
                var loss = loss
                for n in range {
                    var best: Int32 = 0
                    let row = n * classes
                    rows[n] = ck_cross_entropy(
                        logits + row, Int32(classes), targets[n], &loss, 1 / Float(count), gradient + row, &best)
                    rows[count + n] = best == targets[n].label ? 1 : 0
                }
            }
        }
        if let superclassOf {
            precondition(superclassOf.count == classes)
            superclassOf.withUnsafeBufferPointer { apply($0.baseAddress) }
        } else {
            apply(nil)
        }
        var (sum, hits) = (0.0, 0)
        for n in 0..<count {
            sum += Double(rows[n])
            hits += Int(rows[count + n])
        }
        return (sum / Double(count), hits)
    }
}
