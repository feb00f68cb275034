import Glibc

/// Logits to log-probabilities in two stages, p(class) = p(superclass) · p(class | superclass): a superclass's own logit is
/// the mean of its classes'. Softmax leaves what comes out as it is, so that loss and prediction need not know.
///
/// ```
///   u_g = mean of z over g      y_i = u_g − log Σ e^u + z_i − log Σ over g e^z
/// ```
final class HierarchicalSoftmax: Layer {
    let name: String
    let input: Shape
    var output: Shape { input }
    let groupOf: [Int]
    let sizes: [Double]

    /// - Parameter groupOf: the superclass of each class, from 0 without gaps.
    init(_ name: String, input: Shape, groupOf: [Int]) throws(ShapeError) {
        let isInRange = groupOf.allSatisfy { (0..<input.count).contains($0) }
        let groups = isInRange ? (groupOf.max() ?? -1) + 1 : 0
        guard groupOf.count == input.count, isInRange, Set(groupOf) == Set(0..<groups) else {
            throw ShapeError(
                "\(name) (superclasses)", given: "\(Set(groupOf).count) superclasses of \(groupOf.count) classes",
                expected: "one for each of \(input.count) classes, numbered from 0 without gaps")
        }
        (self.name, self.input, self.groupOf) = (name, input, groupOf)
        var sizes = [Double](repeating: 0, count: groups)
        for group in groupOf { sizes[group] += 1 }
        self.sizes = sizes
    }

    /// Four doubles a superclass.
    func needs(maxBatch: Int, mode: Mode) -> LayerNeeds { LayerNeeds(scratch: 8 * sizes.count + 16) }

    /// For each superclass: its logit, the largest logit and the sum of exponentials in it. Then the log of the sum of the
    /// superclasses' exponentials.
    private func look(
        _ z: Floats, _ own: UnsafeMutablePointer<Double>, _ largest: UnsafeMutablePointer<Double>,
        _ sums: UnsafeMutablePointer<Double>
    ) -> Double {
        let groups = sizes.count
        own.update(repeating: 0, count: groups)
        largest.update(repeating: -.infinity, count: groups)
        sums.update(repeating: 0, count: groups)
        for (i, g) in groupOf.enumerated() {
            own[g] += Double(z[i]) / sizes[g]
            largest[g] = max(largest[g], Double(z[i]))
        }
        for (i, g) in groupOf.enumerated() { sums[g] += exp(Double(z[i]) - largest[g]) }
        var top = -Double.infinity
        for g in 0..<groups { top = max(top, own[g]) }
        var sum = 0.0
        for g in 0..<groups { sum += exp(own[g] - top) }
        return top + log(sum)
    }

    private func buffers(_ pass: Pass, _ thread: Int) -> (
        UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>, UnsafeMutablePointer<Double>,
        UnsafeMutablePointer<Double>
    ) {
        let start = UnsafeMutableRawPointer(pass.scratch[thread]).assumingMemoryBound(to: Double.self)
        let groups = sizes.count
        return (start, start + groups, start + 2 * groups, start + 3 * groups)
    }

    func forward(_ x: Floats, _ y: Floats, count: Int, _ pass: Pass) {
        pass.pool.split(count, grain: 4) { thread, images in
            let (own, largest, sums, _) = buffers(pass, thread)
            for n in images {
                let (from, to) = (x + n * input.count, y + n * input.count)
                let whole = look(from, own, largest, sums)
                for (i, g) in groupOf.enumerated() {
                    to[i] = Float(own[g] - whole + Double(from[i]) - largest[g] - log(sums[g]))
                }
            }
        }
    }

    /// With q the softmax in the superclass, P that of the superclasses, S_g = Σ over g of dy, and S all of it:
    /// dz_i = dy_i − q_i S_g + (S_g − P_g S) / |g|.
    func backward(_ x: Floats, _ dy: Floats, _ dx: Floats?, count: Int, _ pass: Pass) {
        guard let dx else { return }
        pass.pool.split(count, grain: 4) { thread, images in
            let (own, largest, sums, gradients) = buffers(pass, thread)
            for n in images {
                let at = n * input.count
                let whole = look(x + at, own, largest, sums)
                gradients.update(repeating: 0, count: sizes.count)
                var all = 0.0
                for (i, g) in groupOf.enumerated() {
                    gradients[g] += Double(dy[at + i])
                    all += Double(dy[at + i])
                }
                for (i, g) in groupOf.enumerated() {
                    let inside = exp(Double(x[at + i]) - largest[g]) / sums[g]
                    let share = exp(own[g] - whole)
                    dx[at + i] = Float(
                        Double(dy[at + i]) - inside * gradients[g] + (gradients[g] - share * all) / sizes[g])
                }
            }
        }
    }

    // MARK: - Descriptions

    var operation: String { "HierarchicalLogSoftmax" }

    /// Classes are gathered by their superclass, N × superclasses × the most classes of one; what is over in smaller ones
    /// is a logit that counts for nothing.
    func describe(_ x: ONNXValue, in export: inout ONNXExport) -> ONNXValue {
        let (classes, groups) = (groupOf.count, sizes.count)
        let most = Int(sizes.max() ?? 0)
        var members = [[Int]](repeating: [], count: groups)
        var places: [Int] = []
        for (label, group) in groupOf.enumerated() {
            places.append(group * most + members[group].count)
            members[group].append(label)
        }
        var logits = x
        if members.contains(where: { $0.count < most }) {
            let pads = export.graph.constant("\(name).pads", integers: [0, 0, 0, 1])
            let nothing = export.graph.constant("\(name).nothing", floats: [-1e30])
            logits = export.add("\(name).padded", "Pad", x, [pads, nothing])
        }
        let order = export.graph.constant(
            "\(name).members", integers: members.flatMap { $0 + Array(repeating: classes, count: most - $0.count) },
            shape: [groups, most])
        var inside = export.add("\(name).gathered", "Gather", logits, [order], ["axis": .integer(1)])
        inside = export.add("\(name).inside", "LogSoftmax", inside, [], ["axis": .integer(2)])
        inside = export.add("\(name).flat", "Flatten", inside, [], ["axis": .integer(1)])
        let back = export.graph.constant("\(name).places", integers: places)
        inside = export.add("\(name).given", "Gather", inside, [back], ["axis": .integer(1)])

        var shares = [Float](repeating: 0, count: classes * groups)
        for (label, group) in groupOf.enumerated() { shares[label * groups + group] = Float(1 / sizes[group]) }
        let means = export.graph.constant("\(name).means", floats: shares, shape: [classes, groups])
        var own = export.add("\(name).logits", "MatMul", x, [means])
        own = export.add("\(name).groups", "LogSoftmax", own, [], ["axis": .integer(1)])
        let groupOf = export.graph.constant("\(name).of", integers: groupOf)
        own = export.add("\(name).group", "Gather", own, [groupOf], ["axis": .integer(1)])
        return export.add(name, "Add", own, [inside.name])
    }
}

extension LayerStack {
    mutating func superclasses(_ name: String, groupOf: [Int]) throws(ShapeError) {
        append(try HierarchicalSoftmax(name, input: shape, groupOf: groupOf))
    }
}

extension LayerProbe.Kind {
    package static func superclasses(_ groupOf: [Int]) -> Self {
        Self { stack throws(ShapeError) in try stack.superclasses(probe, groupOf: groupOf) }
    }
}
