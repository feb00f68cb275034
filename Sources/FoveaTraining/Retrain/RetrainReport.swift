import FoveaControl
import FoveaModels
import FoveaRetraining
import FoveaSystem

/// What happened, as a line for logs, as text that can be mailed, and as JSON.
struct RetrainReport {
    let plan: RetrainPlan
    let outcome: RetrainOutcome
    /// nil where the training came to nothing.
    let judged: Judged?
    /// A sentence on how it ended.
    let remark: String?
    let removed: [ModelIdentifier]
    let finished = Timestamp.now()

    /// A challenger, and what the gate says of it.
    struct Judged {
        let challenger: ModelStore.Model
        let gate: Gate

        var name: String { challenger.identifier.description }
    }

    private var old: String { plan.championName }

    /// One line: what serves, and why.
    var line: String {
        "\(verdict); \(corrections), \(Units.show(seconds: finished.seconds(since: plan.begun)))"
    }

    private var verdict: String {
        guard let judged else { return "kept \(old), for the training failed: \(remark ?? "")" }
        let (new, gate) = (judged.name, judged.gate)
        return switch outcome {
        case .promoted: "promoted \(new) over \(old): \(gate.all.words)"
        case .better: "\(new) is better than \(old) and waits for `foveactl model swap \(new)`: \(gate.all.words)"
        case .refused: "kept \(old), though the challenger is better: \(remark ?? "")"
        case .kept, .nothingNew, .failed:
            "kept \(old); the challenger is not promoted: \(gate.reasons.joined(separator: "; "))"
        }
    }

    private var corrections: String { "\(Figures.grouped(plan.facts.learntCorrections)) corrections" }

    /// Markdown that reads well as plain text.
    var text: String {
        var lines = ["# Retraining of \(old), \(plan.begun)", "", "\(line).", ""]
        if let remark, outcome != .refused, outcome != .failed { lines += [remark, ""] }
        if let judged { lines += comparison(judged) }
        let facts = plan.facts
        lines += [
            "## Learnt from", "",
            "- \(Figures.grouped(facts.images)) images: \(facts.source); \(corrections), "
                + "\(Figures.grouped(facts.judgingCorrections)) more held back to judge by",
        ]
        if !plan.newLabels.isEmpty { lines.append("- new labels: \(plan.newLabels.joined(separator: ", "))") }
        if facts.relabelled > 0 {
            lines.append("- \(facts.relabelled) images of the data sets have the label of their correction now")
        }
        lines += facts.notes.map { "- \($0)" }
        if !plan.problems.isEmpty {
            lines += ["", "## Not learnt from", ""]
            lines += plan.problems.map { "- `\($0.path)`: \($0.reason)" }
        }
        if !removed.isEmpty {
            lines += ["", "Removed old versions: \(removed.map(\.description).joined(separator: ", "))."]
        }
        return (lines + ["", "## What to do", "", advice]).joined(separator: "\n") + "\n"
    }

    /// How the two did on the images that neither has learnt.
    private func comparison(_ judged: Judged) -> [String] {
        let (new, gate) = (judged.name, judged.gate)
        var lines = [
            "| compared on | images | \(old) | \(new) | difference | gained | lost | p |",
            "|---|---|---|---|---|---|---|---|", row("all held back", gate.all),
        ]
        for part in Gate.Part.allCases {
            if let comparison = gate.parts[part] { lines.append(row(part.words, comparison)) }
        }
        lines.append("")
        for (labels, learning) in [("known", gate.learning), ("new", gate.novelty)] {
            if let learning { lines += ["Learnt of the corrections to \(labels) labels: \(learning.words).", ""] }
        }
        lines += [
            "Expected calibration error on the data's images: \(Figures.percent(gate.calibration.champion, decimals: 2)) → "
                + "\(Figures.percent(gate.calibration.challenger, decimals: 2)) (difference from "
                + "\(Units.decimals(100 * gate.calibration.low, 2)) to \(Units.decimals(100 * gate.calibration.high, 2)) points).",
            "",
        ]
        return lines + classes(gate)
    }

    private var advice: String {
        guard let judged else {
            return
                "It is not tried again before data or settings change; `foveactl retrain --force` does. Where the data are "
                + "sound, `retrain.start: scratch` in the configuration begins anew."
        }
        let (new, folder) = (judged.name, judged.challenger.folder.escaped)
        return switch outcome {
        case .promoted:
            "Nothing. `foveactl model rollback` goes back, `foveactl model compare \(old) \(new)` shows what changed."
        case .better: "`foveactl model swap \(new)` lets the challenger serve."
        case .kept, .nothingNew, .failed, .refused:
            "With more corrections the next comparison is surer; with more `retrain.epochs` more of them are learnt. "
                + "The challenger is in `\(folder)` until the next retraining: `foveactl model compare \(old) \(folder)` shows where "
                + "the two differ, and `foveactl model import` and `swap` let it serve all the same."
        }
    }

    /// A share as percentage points with its sign.
    private static func signed(_ share: Double, _ decimals: Int = 1) -> String {
        (share < 0 ? "−" : "+") + Units.decimals(100 * abs(share), decimals)
    }

    private func row(_ name: String, _ comparison: PairedComparison) -> String {
        let difference =
            Self.signed(comparison.difference, 2)
            + " ± " + Units.decimals(100 * comparison.errorBar, 2)
        return
            "| \(name) | \(Figures.grouped(comparison.images)) | \(Figures.percent(comparison.champion, decimals: 2)) "
            + "| \(Figures.percent(comparison.challenger, decimals: 2)) | \(difference) | \(comparison.gained) "
            + "| \(comparison.lost) | \(comparison.p < 0.0001 ? "< 0.0001" : Units.decimals(comparison.p, 4)) |"
    }

    /// The labels that changed more than a coin would.
    private func classes(_ gate: Gate) -> [String] {
        let changed = gate.classes.filter { $0.value.p < 0.05 }
        guard !changed.isEmpty else { return [] }
        var lines = [
            "Labels that changed with p < 0.05; of \(gate.classes.count) about "
                + "\(Units.decimals(0.05 * Double(gate.classes.count), 0)) would by chance:", "",
            "| label | images | before | after | gained | lost | surer than right by, before | after |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for (label, part) in changed.sorted(by: { ($1.value.difference, $0.key) < ($0.value.difference, $1.key) }) {
            let surer = gate.overconfidence[label].map { gap in
                (champion: Self.signed(gap.champion), challenger: Self.signed(gap.challenger))
            }
            lines.append(
                "| \(label) | \(part.images) | \(Figures.percent(part.champion)) | \(Figures.percent(part.challenger)) | "
                    + "\(part.gained) | \(part.lost) | \(surer?.champion ?? "") | \(surer?.challenger ?? "") |")
        }
        return lines + [""]
    }

    var json: JSONValue {
        let facts = plan.facts
        var members: [String: JSONValue] = [
            "schema": .string("fovea.retraining/1"), "id": .string(plan.id),
            "begun": .string(plan.begun.description),
            "seconds": .number(finished.seconds(since: plan.begun)),
            "outcome": .string(outcome.rawValue), "champion": .string(old),
            "challenger": judged.map { .string($0.name) } ?? .null,
            "challengerFolder": judged.map { .string($0.challenger.folder.escaped) } ?? .null,
            "images": .int(facts.images), "corrections": .int(facts.learntCorrections),
            "judgingCorrections": .int(facts.judgingCorrections), "relabelled": .int(facts.relabelled),
            "newLabels": .array(plan.newLabels.map(JSONValue.string)),
            "removed": .array(removed.map { .string($0.description) }),
            "line": .string(line), "remark": remark.map(JSONValue.string) ?? .null,
        ]
        members["gate"] = judged.flatMap { try? JSONValue(encoding: $0.gate) } ?? .null
        members["problems"] = try? JSONValue(encoding: plan.problems)
        return .object(members)
    }
}
