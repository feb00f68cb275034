import FoveaSystem

// Who is learnt and who judges. A division is a pure function of the pictures: of their labels, of a key that each group of
// near-duplicates shares, and of a seed. Keys come from the pictures' bytes (`NearDuplicates`), so neither names nor the
// order of files matter, and a picture that is added moves few others.

/// Divides pictures by whole groups: what looks the same never stands on both sides.
package enum Division {
    /// Stratified folds: every label is spread over all folds as evenly as its groups allow.
    ///
    /// - Parameters:
    ///   - k: folds, at least 2.
    ///   - labels: of each picture.
    ///   - groups: of each picture its group's key; pictures with one key stay together.
    /// - Returns: of each picture its fold, 0 to k − 1.
    package static func folds(_ k: Int, labels: [Int], groups: [UInt64], seed: UInt64) -> [Int] {
        precondition(k >= 2 && labels.count == groups.count)
        var folds = [Int](repeating: 0, count: labels.count)
        var total = [Int](repeating: 0, count: k)
        for (label, members) in ordered(labels, groups, seed) {
            var ofLabel = [Int](repeating: 0, count: k)
            let first = Int(SplitMix64.mixed(seed ^ UInt64(label) &+ 1) % UInt64(k))
            // Large groups first: small ones fill what they leave.
            for group in members.sorted(by: { $0.indices.count > $1.indices.count }) {
                let fold = (0..<k).min {
                    (ofLabel[$0], total[$0], ($0 + first) % k) < (ofLabel[$1], total[$1], ($1 + first) % k)
                }!
                ofLabel[fold] += group.indices.count
                total[fold] += group.indices.count
                for index in group.indices { folds[index] = fold }
            }
        }
        return folds
    }

    /// A share of each label that is held back. Of a label with two groups or more at least one group stays.
    ///
    /// - Parameter wanted: how many pictures of a label with so many; a group that is larger than what is wanted is held back
    ///   only where all are.
    /// - Returns: indices, ascending.
    package static func heldBack(
        labels: [Int], groups: [UInt64], seed: UInt64, wanted: (Int) -> Int
    ) -> [Int] {
        precondition(labels.count == groups.count)
        var result: [Int] = []
        for (_, members) in ordered(labels, groups, seed) where members.count > 1 {
            let wanted = wanted(members.reduce(0) { $0 + $1.indices.count })
            guard wanted > 0 else { continue }
            var taken: [[Int]] = []
            var count = 0
            for group in members where taken.count < members.count - 1 && count + group.indices.count <= wanted {
                taken.append(group.indices)
                count += group.indices.count
            }
            if taken.isEmpty, let smallest = members.min(by: { $0.indices.count < $1.indices.count }) {
                taken = [smallest.indices]
            }
            result += taken.joined()
        }
        return result.sorted()
    }

    private struct Group {
        let key: UInt64
        var indices: [Int]
    }

    /// The groups of each label, in an order that the seed and the keys alone decide. A group whose pictures have several
    /// labels counts to the most frequent one.
    private static func ordered(
        _ labels: [Int], _ groups: [UInt64], _ seed: UInt64
    ) -> [(label: Int, members: [Group])] {
        var members: [UInt64: Group] = [:]
        for (index, key) in groups.enumerated() {
            members[key, default: Group(key: key, indices: [])].indices.append(index)
        }
        var byLabel: [Int: [Group]] = [:]
        for group in members.values {
            var counts: [Int: Int] = [:]
            for index in group.indices { counts[labels[index], default: 0] += 1 }
            let label = counts.min { ($1.value, $0.key) < ($0.value, $1.key) }!.key
            byLabel[label, default: []].append(group)
        }
        let mixed = SplitMix64.mixed(seed)
        func place(_ group: Group) -> (UInt64, UInt64) { (SplitMix64.mixed(group.key ^ mixed), group.key) }
        return byLabel.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted { place($0) < place($1) }) }
    }
}
