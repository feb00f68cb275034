import FoveaHeads
import Glibc
import Testing

/// Features of classes that lie apart by `distance`, in five folds.
private func blobs(
    perClass: [Int], features: Int, distance: Double, seed: UInt64 = 5
) -> HeadData {
    let centres = noise(perClass.count, features, seed: seed &+ 100)
    let scatter = noise(perClass.reduce(0, +), features, seed: seed)
    var values = scatter.values
    var labels: [Int] = []
    for (c, count) in perClass.enumerated() { labels += [Int](repeating: c, count: count) }
    for (i, label) in labels.enumerated() {
        for f in 0..<features { values[i * features + f] += distance * centres[label, f] }
    }
    return HeadData(
        features: DenseMatrix(rows: labels.count, columns: features, values: values), labels: labels,
        classes: perClass.count, folds: labels.indices.map { $0 % 5 }, foldCount: 5)
}

@Suite struct HeadTests {
    @Test(arguments: [0, 1]) func classesThatLieApartAreTold(_ which: Int) {
        let fit = HeadFit.choose(blobs(perClass: [20, 20, 20], features: 30, distance: 2), algebras[which])
        #expect(HeadFit.right(fit.outOfFold, blobs(perClass: [20, 20, 20], features: 30, distance: 2).labels) >= 58)
        #expect(fit.candidates.count == HeadFit.logisticPenalties.count + HeadFit.ridgePenalties.count)
        #expect(Temperature.bounds.contains(fit.temperature))
    }

    /// Labels without a relation to the features: folds say so, however well the head knows what it has learnt.
    @Test func chanceIsSeenAsChance() {
        let data = blobs(perClass: [50, 50], features: 200, distance: 0)
        let fit = HeadFit.choose(data, algebras[0])
        let learnt = HeadFit.right(fit.head.logits(data.features, algebras[0]), data.labels)
        #expect((30...70).contains(HeadFit.right(fit.outOfFold, data.labels)))
        #expect(learnt > 70)
    }

    /// Fewer rows than features and more: the same optimum, whose gradient is 0.
    @Test(arguments: [(15, 60), (60, 15)]) func logisticFindsTheOptimum(_ size: (rows: Int, features: Int)) {
        let data = blobs(perClass: [size.rows, size.rows], features: size.features, distance: 0.5)
        let algebra = algebras[0]
        let system = HeadSystem(data.learnt(without: nil), algebra)
        let penalty = 3.0
        let head = LogisticHead.fit(system, penalties: [penalty], algebra)[0]
        // Put into the definition, on standardised features: d/dw = Σ (p − y)·z + penalty · w.
        let z = system.standard.apply(data.features)
        let logits = head.logits(data.features, algebra)
        for c in 0..<2 {
            for f in [0, 7, size.features - 1] {
                var slope = penalty * head.weights[f, c] * system.standard.deviation[f]
                for i in data.labels.indices {
                    let p = 1 / (1 + exp(logits[i, 1 - c] - logits[i, c]))
                    slope += (p - (data.labels[i] == c ? 1 : 0)) * z[i, f]
                }
                #expect(abs(slope) < 0.01)
            }
        }
    }

    /// Ten times as many images of one class do not make it the answer to everything.
    @Test func smallClassesAreNotForgotten() {
        let data = blobs(perClass: [200, 20], features: 20, distance: 0.8)
        let fit = HeadFit.choose(data, algebras[0])
        let small = (200..<220).filter { fit.outOfFold[$0, 1] > fit.outOfFold[$0, 0] }.count
        #expect(small >= 15)
    }

    @Test func standardisationIsUndone() {
        let x = noise(12, 4)
        let standard = Standardisation(x, weights: [Double](repeating: 1, count: 12))
        let head = LinearHead(weights: noise(4, 3, seed: 2), bias: [1, 2, 3])
        let (a, b) = (
            head.logits(standard.apply(x), algebras[0]), head.unstandardised(standard).logits(x, algebras[0])
        )
        #expect(zip(a.values, b.values).allSatisfy { abs($0 - $1) < 1e-10 })
    }
}

@Suite struct TemperatureTests {
    /// Fault B08: six images that are all right say nothing against 100 %; the prior does.
    @Test func aHandfulBreaksNothing() {
        let logits = DenseMatrix(rows: 6, columns: 2, values: (0..<6).flatMap { _ in [2.0, 0] })
        let temperature = Temperature.fit(logits, labels: [Int](repeating: 0, count: 6))
        #expect(temperature > 0.4 && temperature < 1)
    }

    /// A thousand images find the truth: logits three times too large.
    @Test func manyImagesDecide() {
        let logits = noise(2000, 2)
        let wrong = DenseMatrix(rows: 2000, columns: 2, values: logits.values.map { 6 * $0 })
        let draw = noise(2000, 1, seed: 9)
        let labels = (0..<2000).map { i -> Int in
            let p = 1 / (1 + exp(2 * (logits[i, 1] - logits[i, 0])))
            return draw[i, 0] / 2 + 0.5 < p ? 0 : 1
        }
        #expect(abs(Temperature.fit(wrong, labels: labels) - 3) < 0.4)
    }
}

@Suite struct UnknownTests {
    /// Features of two classes that share half of their features, as pooled activations are: never negative.
    private func data() -> HeadData {
        let scatter = noise(60, 16)
        var values = scatter.values.map { abs($0) * 0.2 }
        let labels = (0..<60).map { $0 % 2 }
        for (i, label) in labels.enumerated() {
            for f in (4 * label)..<(4 * label + 8) { values[i * 16 + f] += 1 }
        }
        return HeadData(
            features: DenseMatrix(rows: 60, columns: 16, values: values), labels: labels, classes: 2,
            folds: (0..<60).map { $0 / 2 % 5 }, foldCount: 5)
    }

    @Test(arguments: [0, 1]) func knownImagesStayKnownAndOthersDoNot(_ which: Int) {
        let data = data()
        let fit = UnknownFit(data, algebras[which])
        #expect(fit.distances.filter { $0 <= fit.threshold }.count >= 57)
        // Other features light up.
        var stranger = DenseMatrix(rows: 1, columns: 16)
        for f in 12..<16 { stranger[0, f] = 1 }
        let distance = UnknownFit.distances(
            UnknownFit.normalised(stranger), to: fit.known, fit.neighbours, algebras[which])[0]
        #expect(distance > 2 * fit.threshold)
    }

    @Test func rowsHaveLengthOne() {
        let unit = UnknownFit.normalised(DenseMatrix(rows: 2, columns: 2, values: [3, 4, 0, 0]))
        #expect(unit.values == [0.6, 0.8, 0, 0])
    }
}
