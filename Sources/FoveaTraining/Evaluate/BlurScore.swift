import Dispatch
import FoveaControl
import FoveaData
import FoveaModels

/// Accuracy under the five blurs at five severities.
package struct BlurScore: Encodable, Sendable {
    /// Those that the mean is of: glass is so hard that it would hide the rest.
    private static let common: [Corruption] = [.gaussian, .defocus, .motion, .zoom]

    /// Shares of images classified rightly, by blur, one for each severity.
    private(set) var top1: [String: [Double]] = [:]

    private enum Key: String, CodingKey { case mean, means, top1 }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(mean, forKey: .mean)
        try container.encode(top1.mapValues { $0.reduce(0, +) / Double($0.count) }, forKey: .means)
        try container.encode(top1, forKey: .top1)
    }

    /// Over gaussian, defocus, motion and zoom at all severities.
    package var mean: Double {
        let values = Self.common.flatMap { top1[$0.rawValue] ?? [] }
        return values.reduce(0, +) / Double(max(1, values.count))
    }

    package init(_ data: EvaluationData, model: ModelConfiguration, evaluator: Evaluator) throws {
        for corruption in Corruption.allCases {
            top1[corruption.rawValue] = try Corruption.severities.map { severity in
                let blurred = try data.blurred(
                    corruption, severity: severity, height: model.input.height, width: model.input.width)
                let outcomes = try evaluator.run(blurred, title: "\(corruption) \(severity)").outcomes
                return Score(outcomes, labels: model.labels, superclassOf: nil).top1
            }
        }
    }

    /// A line for each blur.
    package var lines: [String] {
        func row(_ cells: [String]) -> String {
            cells.enumerated().map { index, cell in
                let space = String(repeating: " ", count: max(0, (index == 0 ? 12 : 8) - cell.count))
                return index == 0 ? cell + space : space + cell
            }.joined()
        }
        var lines = [row(["blur"] + Corruption.severities.map { "\($0)" } + ["mean"])]
        for corruption in Corruption.allCases {
            let shares = top1[corruption.rawValue] ?? []
            lines.append(
                row(
                    [corruption.rawValue]
                        + (shares + [shares.reduce(0, +) / Double(max(1, shares.count))]).map {
                            Figures.percent($0, decimals: 1)
                        }))
        }
        return lines + [
            "mean of \(Self.common.map(\.rawValue).joined(separator: ", ")): \(Figures.percent(mean, decimals: 2))"
        ]
    }
}

extension EvaluationData {
    /// The same images, blurred.
    fileprivate func blurred(_ corruption: Corruption, severity: Int, height: Int, width: Int) throws -> EvaluationData
    {
        let size = height * width * 3
        let count = count
        return try mapped(size: size) { pixels in
            nonisolated(unsafe) let pixels = pixels
            let parts = 64
            DispatchQueue.concurrentPerform(iterations: parts) { part in
                let scratch = Scratch()
                for index in count * part / parts..<count * (part + 1) / parts {
                    corruption.apply(
                        pixels.baseAddress! + index * size, height: height, width: width, severity: severity,
                        index: index, scratch: scratch)
                }
            }
        }
    }
}
