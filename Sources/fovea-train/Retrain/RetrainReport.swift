import FoveaControl
import FoveaModels
import FoveaRetraining
import FoveaSystem

/// What happened, as a line for logs, as text that can be mailed, and as JSON.
struct RetrainReport {
    let plan: RetrainPlan
    let champion: Champion
    let challenger: ModelStore.Model
    let data: RetrainingData
    let gate: Gate
    let seconds: Double
    var removed: [ModelIdentifier]
    var outcome = RetrainOutcome.kept
    var challengerIsStored = false
    var way: Promotion.Way?

    private var names: (champion: String, challenger: String) {
        ("\(plan.champion.name)@\(plan.champion.version)", challenger.identifier.description)
    }

    /// One line: what serves, and why.
    var line: String {
        let (old, new) = names
        let verdict =
            switch outcome {
            case .promoted: "promoted \(new) over \(old)"
            case .better: "\(new) is better than \(old) and waits for `foveactl model swap \(new)`"
            case .kept, .nothingNew:
                "kept \(old); the challenger is not promoted: \(gate.reasons.joined(separator: "; "))"
            }
        let figures = outcome == .kept ? "" : ": \(gate.all.words)"
        return "\(verdict)\(figures); \(corrections), \(Units.show(seconds: seconds))"
    }

    private var corrections: String {
        "\(Figures.grouped(data.learntCorrections)) corrections learnt"
    }

    /// Markdown that reads well as plain text.
    var text: String {
        let (old, new) = names
        var lines = ["# Retraining of \(old), \(plan.begun)", "", "\(line).", ""]
        if case .atNextStart = way { lines += ["No daemon is running: \(new) serves from its next start on.", ""] }
        lines += [
            "| compared on | images | \(old) | \(new) | difference | gained | lost | p |",
            "|---|---|---|---|---|---|---|---|", row("all held back", gate.all),
        ]
        for (part, comparison) in gate.parts.sorted(by: { $0.key > $1.key }) {
            lines.append(row(part == "data" ? "of the data sets" : "corrections", comparison))
        }
        lines += [
            "",
            "Expected calibration error: \(Figures.percent(gate.calibration.champion, decimals: 2)) → "
                + "\(Figures.percent(gate.calibration.challenger, decimals: 2)) (difference from "
                + "\(Units.decimals(100 * gate.calibration.low, 2)) to \(Units.decimals(100 * gate.calibration.high, 2)) points).",
            "",
        ]
        lines += classes
        lines += ["## Learnt from", ""]
        lines.append(
            "- \(Figures.grouped(Set(data.train).count)) images: \(data.dataset.info.source), \(corrections), "
                + "\(data.judgingCorrections) more held back to judge by")
        if !plan.newLabels.isEmpty { lines.append("- new labels: \(plan.newLabels.joined(separator: ", "))") }
        if data.relabelled > 0 {
            lines.append("- \(data.relabelled) images of the data sets have the label of their correction now")
        }
        lines += data.notes.map { "- \($0)" }
        if !plan.problems.isEmpty {
            lines += ["", "## Not learnt from", ""]
            lines += plan.problems.map { "- `\($0.path)`: \($0.reason)" }
        }
        if !removed.isEmpty {
            lines += ["", "Removed old versions: \(removed.map(\.description).joined(separator: ", "))."]
        }
        lines += ["", "## What to do", ""]
        switch outcome {
        case .promoted:
            lines.append(
                "Nothing. `foveactl model rollback` goes back, `foveactl model compare \(old) \(new)` shows what changed."
            )
        case .better: lines.append("`foveactl model swap \(new)` lets the challenger serve.")
        case .kept, .nothingNew:
            lines.append(
                "The challenger is in `\(challenger.folder.escaped)` until the next retraining; "
                    + "`foveactl model compare \(old) \(challenger.folder.escaped)` shows where the two differ.")
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func row(_ name: String, _ comparison: PairedComparison) -> String {
        let difference =
            (comparison.difference < 0 ? "−" : "+") + Units.decimals(100 * abs(comparison.difference), 2)
            + " ± " + Units.decimals(100 * comparison.errorBar, 2)
        return
            "| \(name) | \(Figures.grouped(comparison.images)) | \(Figures.percent(comparison.champion, decimals: 2)) "
            + "| \(Figures.percent(comparison.challenger, decimals: 2)) | \(difference) | \(comparison.gained) "
            + "| \(comparison.lost) | \(Units.decimals(comparison.p, 4)) |"
    }

    /// The labels that changed most, where that is more than a coin would do.
    private var classes: [String] {
        let changed = gate.classes.filter { $0.value.p < 0.05 }
        guard !changed.isEmpty else { return [] }
        var lines = ["| label | images | before | after | gained | lost |", "|---|---|---|---|---|---|"]
        for (label, part) in changed.sorted(by: { ($1.value.difference, $0.key) < ($0.value.difference, $1.key) }) {
            lines.append(
                "| \(label) | \(part.images) | \(Figures.percent(part.champion)) | \(Figures.percent(part.challenger)) | "
                    + "\(part.gained) | \(part.lost) |")
        }
        return lines + [""]
    }

    var json: JSONValue {
        let (old, new) = names
        var members: [String: JSONValue] = [
            "schema": .string("fovea.retraining/1"), "id": .string(plan.id),
            "begun": .string(plan.begun.description), "seconds": .number(seconds),
            "outcome": .string(outcome.rawValue), "champion": .string(old), "challenger": .string(new),
            "challengerFolder": .string(challengerIsStored ? "" : challenger.folder.escaped),
            "images": .int(Set(data.train).count), "corrections": .int(data.learntCorrections),
            "judgingCorrections": .int(data.judgingCorrections), "relabelled": .int(data.relabelled),
            "newLabels": .array(plan.newLabels.map(JSONValue.string)),
            "removed": .array(removed.map { .string($0.description) }),
            "line": .string(line),
        ]
        members["gate"] = try? JSONValue(encoding: gate)
        members["problems"] = try? JSONValue(encoding: plan.problems)
        members["protected"] = nil
        return .object(members)
    }
}
