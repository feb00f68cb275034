import FoveaData
import FoveaSystem
import Testing

struct DivisionTests {
    /// Labels and keys of pictures in classes of these sizes; every `each` pictures share a key.
    private func pictures(_ sizes: [Int], each: Int = 1, seed: UInt64 = 1) -> (labels: [Int], groups: [UInt64]) {
        var random = SplitMix64(seed: seed)
        var (labels, groups): ([Int], [UInt64]) = ([], [])
        for (label, size) in sizes.enumerated() {
            var key = random.next()
            for i in 0..<size {
                if i % each == 0 { key = random.next() }
                labels.append(label)
                groups.append(key)
            }
        }
        return (labels, groups)
    }

    @Test(arguments: [2, 3, 5, 10], [1, 2, 3])
    func foldsAreEvenByLabelAndKeepGroups(_ k: Int, _ each: Int) {
        let (labels, groups) = pictures([30, 60, 7, 30], each: each)
        let folds = Division.folds(k, labels: labels, groups: groups, seed: 5)
        #expect(Set(folds) == Set(0..<k))
        for label in 0..<4 {
            let counts = (0..<k).map { fold in folds.indices.count { folds[$0] == fold && labels[$0] == label } }
            #expect(counts.max()! - counts.min()! <= each, "\(label): \(counts)")
        }
        let totals = (0..<k).map { fold in folds.count { $0 == fold } }
        #expect(totals.max()! - totals.min()! <= 2 * each, "\(totals)")
        for (_, members) in Dictionary(grouping: folds.indices, by: { groups[$0] }) {
            #expect(Set(members.map { folds[$0] }).count == 1)
        }
    }

    /// The order of the pictures decides nothing, the seed does.
    @Test func aDivisionIsAFunctionOfThePictures() {
        let (labels, groups) = pictures([40, 25, 9], each: 2)
        var order = Array(labels.indices)
        var random = SplitMix64(seed: 99)
        random.shuffle(&order)
        let folds = Division.folds(5, labels: labels, groups: groups, seed: 3)
        let shuffled = Division.folds(5, labels: order.map { labels[$0] }, groups: order.map { groups[$0] }, seed: 3)
        #expect(order.indices.allSatisfy { shuffled[$0] == folds[order[$0]] })
        #expect(Division.folds(5, labels: labels, groups: groups, seed: 4) != folds)
        func held(_ order: [Int], _ seed: UInt64) -> Set<Int> {
            let held = Division.heldBack(
                labels: order.map { labels[$0] }, groups: order.map { groups[$0] }, seed: seed
            ) { $0 / 5 }
            return Set(held.map { order[$0] })
        }
        #expect(held(order, 3) == held(Array(labels.indices), 3))
        #expect(held(order, 3) != held(order, 4))
    }

    @Test func holdsBackWholeGroupsAndNeverAll() {
        let (labels, groups) = pictures([10, 2, 1, 6], each: 1)
        let held = Division.heldBack(labels: labels, groups: groups, seed: 1) { max(1, $0 / 5) }
        #expect((0..<4).map { label in held.count { labels[$0] == label } } == [2, 1, 0, 1])
        // All of a class look the same: nothing of it can be held back.
        let same = Division.heldBack(
            labels: [0, 0, 0, 1, 1], groups: [7, 7, 7, 8, 9], seed: 1
        ) { _ in 1 }
        #expect(same.count == 1 && same[0] >= 3)
        // Larger groups than what is wanted: the smallest one.
        #expect(Division.heldBack(labels: [0, 0, 0, 0, 0], groups: [1, 1, 1, 2, 2], seed: 1) { _ in 1 } == [3, 4])
    }

    /// Pictures that look the same under two labels stay together all the same.
    @Test func aGroupUnderTwoLabelsIsOneGroup() {
        let labels = [0, 0, 1, 1, 1, 0]
        let groups: [UInt64] = [1, 2, 1, 3, 4, 5]
        let folds = Division.folds(2, labels: labels, groups: groups, seed: 0)
        #expect(folds[0] == folds[2])
    }

    @Test func fewPicturesFillAllFoldsTheyCan() {
        let folds = Division.folds(5, labels: [0, 0, 1, 1], groups: [1, 2, 3, 4], seed: 2)
        #expect(folds[0] != folds[1] && folds[2] != folds[3] && Set(folds).count == 4)
    }
}
