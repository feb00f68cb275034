// Own classes: a folder of labelled pictures becomes a model in seconds.
//
//     pictures ─ backbone ─▶ features ─┬─ folds ─▶ head without each fold ─▶ out-of-fold answers ─▶ figures, temperature
//                  (cached)            └─ all ───▶ head ─▶ the backbone with the new head ─▶ golden set ─▶ model store
//
// Nothing is chosen on images that are learnt: the penalty, the temperature and every figure come from heads that have not learnt
// the image that they answer.

import FoveaCLI
import FoveaControl
import FoveaData
import FoveaHeads
import FoveaImage
import FoveaModels
import FoveaNN
import FoveaPipeline
import FoveaSystem
import Glibc
import SystemPackage

/// What a training of own classes is asked for.
package struct OwnClassesPlan: Sendable {
    package var name: String
    package var description: String
    package var pictures: PictureSet
    package var backbone: VerifiedModel
    package var threads: Int
    /// Divides pictures into folds.
    package var seed: UInt64 = 0
    /// Of the model's parameters but the head's, which are F32.
    package var weights: TensorType?

    package init(name: String, description: String, pictures: PictureSet, backbone: VerifiedModel, threads: Int) {
        (self.name, self.description, self.pictures) = (name, description, pictures)
        (self.backbone, self.threads) = (backbone, threads)
    }

    /// The fewest pictures of a class: with one, none is left to judge by.
    package static let fewest = 2
    /// Pictures of a class below which the user is told that there are few.
    package static let few = 5
    /// The most folds.
    static let folds = 5

    /// Pictures that are learnt: those of the training part, and those of a validation part, since the folds judge.
    var learnt: [Picture] {
        (pictures.splits[Part.train.rawValue] ?? []) + (pictures.splits[Part.validation.rawValue] ?? [])
    }
}

/// A training of own classes.
package struct OwnClassesRun {
    private let plan: OwnClassesPlan
    private let configuration: Configuration
    private let store: ModelStore
    private let console: Console

    /// - Parameter store: takes the model.
    package init(_ plan: OwnClassesPlan, configuration: Configuration, store: ModelStore, console: Console) {
        (self.plan, self.configuration, self.store, self.console) = (plan, configuration, store, console)
    }

    /// - Returns: the model in the store, with what was found on the way.
    /// - Throws: `Failure` where there are too few classes or pictures; what the data, the backbone and the store throw.
    package func run() throws -> OwnClassesResult {
        let begin = ContinuousClock.now
        let pictures = plan.learnt
        let labels = plan.pictures.info.labels
        let folds = try self.folds(pictures, labels)
        let extractor = try FeatureExtractor(plan.backbone, search: configuration.pluginSearch, threads: plan.threads)
        let (features, computed) = try self.features(of: pictures, extractor)
        let algebra = LinearAlgebra(threads: plan.threads)
        if case .plain(let reason) = algebra.backend { console.note("\(reason)") }
        let data = HeadData(
            features: features, labels: pictures.map(\.label), classes: labels.count, folds: folds.assignment,
            foldCount: folds.count)
        var bar = ProgressBar(console, "fitting", total: folds.count + 1)
        let fit = HeadFit.choose(data, algebra) { done, _ in bar.update(done) }
        bar.finish()
        if case .plain(.wrong) = algebra.backend { console.note("\(algebra.backend)") }
        let unknown = UnknownFit(data, algebra)
        let seconds = (ContinuousClock.now - begin) / .seconds(1)
        let summary = OwnClassesSummary(
            pictures: pictures, labels: labels, fit: fit, folds: folds.count, unknown: unknown, computed: computed,
            seconds: seconds)
        let model = try OwnClassesModel(plan, extractor, fit, unknown, summary).add(to: store, configuration, console)
        return OwnClassesResult(
            model: model, summary: summary, seconds: (ContinuousClock.now - begin) / .seconds(1))
    }

    // MARK: - Folds

    private func folds(_ pictures: [Picture], _ labels: [String]) throws -> (assignment: [Int], count: Int) {
        guard labels.count >= 2 else {
            throw Failure.data(
                "there is one class, '\(labels.first ?? "")': a model needs two or more. Make a folder for each class")
        }
        var counts = [Int](repeating: 0, count: labels.count)
        // What looks the same counts once: it stays in one fold.
        for (_, members) in Dictionary(grouping: pictures, by: \.group) {
            for label in Set(members.map(\.label)) { counts[label] += 1 }
        }
        let lacking = labels.indices.filter { counts[$0] < OwnClassesPlan.fewest }
        guard lacking.isEmpty else {
            let names = lacking.prefix(5).map { "'\(labels[$0])' (\(counts[$0]))" }.joined(separator: ", ")
            throw Failure.data(
                "\(lacking.count == 1 ? "a class has" : "\(lacking.count) classes have") fewer than \(OwnClassesPlan.fewest) "
                    + "different pictures: \(names). Add pictures, or take the folder away")
        }
        let fewest = counts.min()!
        if fewest < OwnClassesPlan.few {
            let names = labels.indices.filter { counts[$0] < OwnClassesPlan.few }.map { "'\(labels[$0])'" }
            console.note(
                "\(names.prefix(5).joined(separator: ", "))\(names.count > 5 ? " and more" : "") \(names.count == 1 ? "has" : "have") "
                    + "fewer than \(OwnClassesPlan.few) pictures: the figures below are rough, and more pictures help most there"
            )
        }
        let count = max(2, min(OwnClassesPlan.folds, fewest))
        return (
            Division.folds(count, labels: pictures.map(\.label), groups: pictures.map(\.group), seed: plan.seed), count
        )
    }

    // MARK: - Features

    /// - Returns: pictures × features, and how many pictures were not in the cache.
    private func features(of pictures: [Picture], _ extractor: FeatureExtractor) throws -> (DenseMatrix, computed: Int)
    {
        var cache = try FeatureCache(
            folder: configuration.state.appending("features"), backbone: plan.backbone.sha256, count: extractor.count)
        var waiting: [Picture] = []
        var seen: Set<String> = []
        for picture in pictures where cache[picture.sha256] == nil && seen.insert(picture.sha256).inserted {
            waiting.append(picture)
        }
        console.note(
            "\(plan.name): \(Figures.grouped(pictures.count)) pictures of \(plan.pictures.info.labels.count) classes, features of "
                + "\(plan.backbone.configuration.name)@\(plan.backbone.configuration.version)"
                + (waiting.count < pictures.count
                    ? ", \(Figures.grouped(pictures.count - waiting.count)) of them known" : ""))
        var bar = ProgressBar(console, "features", total: waiting.count)
        // In parts, so that a training that is stopped has not computed in vain.
        let part = 256
        for first in stride(from: 0, to: waiting.count, by: part) {
            let some = Array(waiting[first..<min(waiting.count, first + part)])
            let features = try extractor.features(of: some, limits: plan.pictures.limits) { done in
                if Interruption.signal != nil {
                    throw Failure.tryAgain("stopped; the next run goes on with the features so far")
                }
                bar.update(first + done)
            }
            try cache.add(zip(some, features).map { ($0.sha256, $1) })
        }
        bar.finish()
        var values: [Double] = []
        values.reserveCapacity(pictures.count * extractor.count)
        for picture in pictures { values += cache[picture.sha256]!.map(Double.init) }
        return (DenseMatrix(rows: pictures.count, columns: extractor.count, values: values), waiting.count)
    }
}

/// A finished training of own classes.
package struct OwnClassesResult: Sendable {
    package let model: ModelStore.Model
    package let summary: OwnClassesSummary
    /// From the start to the stored model.
    package let seconds: Double
}
