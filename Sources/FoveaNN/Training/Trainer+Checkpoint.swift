import FoundationEssentials
import FoveaSystem
import Glibc

/// A checkpoint is one file:
///
/// ```
///   "fovea.checkpoint/4\n" │ length of JSON, u64 LE │ JSON │ values │ the optimizer's memory
///                          │ averaged values (may be absent) │ best values (may be absent) │ SHA-256 of all before it
/// ```
/// Floats are in the machine's order, little-endian on all that Fovea runs on. It is for the same build to go on with,
/// not for exchange: models are exchanged as safetensors.
extension Trainer {
    private static var magic: [UInt8] { family + Array("4\n".utf8) }
    private static var family: [UInt8] { Array("fovea.checkpoint/".utf8) }

    private struct Head: Codable {
        var definition: NetworkDefinition
        var settings: TrainingSettings
        var inputs: [String: String]
        var progress: Progress
        var optimizerSteps: Int
        var values: Int
        /// Floats of the optimizer and of the averages.
        var memory: Int
        var averaged: Int
        var best: Bool
    }

    /// The training's whole state, to be written to a file (under a temporary name, then renamed).
    package func checkpoint() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        let head = try encoder.encode(
            Head(
                definition: network.definition, settings: settings, inputs: inputs, progress: progress,
                optimizerSteps: optimizer.steps, values: network.valueFloats, memory: optimizer.memory.count,
                averaged: averaged.memory.count, best: !best.isEmpty))
        var bytes = Self.magic
        bytes.reserveCapacity(
            96 + head.count
                + 4
                * (network.valueFloats * (best.isEmpty ? 1 : 2) + optimizer.memory.count + averaged.memory.count))
        withUnsafeBytes(of: UInt64(head.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: head)
        func append(_ floats: UnsafePointer<Float>, _ count: Int) {
            bytes.append(contentsOf: UnsafeRawBufferPointer(start: floats, count: count * 4))
        }
        append(network.values, network.valueFloats)
        append(optimizer.memory.baseAddress!, optimizer.memory.count)
        if let copy = averaged.memory.baseAddress { append(copy, averaged.memory.count) }
        best.withUnsafeBufferPointer { if let start = $0.baseAddress, !$0.isEmpty { append(start, $0.count) } }
        bytes += Digest.sha256(bytes)
        return bytes
    }

    /// A checkpoint's head, the bytes before the hash, and where the floats begin.
    private static func open(
        _ whole: UnsafeRawBufferPointer
    ) throws -> (head: Head, bytes: UnsafeRawBufferPointer, floats: Int) {
        let magic = Self.magic
        guard whole.count >= magic.count + 8 + 32, whole.prefix(magic.count).elementsEqual(magic) else {
            throw CheckpointError("this is not a checkpoint of this version of Fovea")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: whole.dropLast(32))
        guard Digest.sha256(bytes).elementsEqual(whole.suffix(32)) else {
            throw CheckpointError("the checkpoint is cut off or damaged")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: magic.count, as: UInt64.self))
        let at = magic.count + 8
        guard length <= UInt64(bytes.count - at),
            let head = try? JSONDecoder().decode(Head.self, from: Data(bytes[at..<(at + Int(length))]))
        else { throw CheckpointError("the checkpoint is damaged") }
        return (head, bytes, at + Int(length))
    }

    /// Whether bytes begin as a checkpoint does, of this version or another.
    package static func isCheckpoint(_ bytes: some Sequence<UInt8>) -> Bool { bytes.starts(with: family) }

    /// The settings that a checkpoint's training has.
    package static func settings(of checkpoint: UnsafeRawBufferPointer) throws -> TrainingSettings {
        try open(checkpoint).head.settings
    }

    /// Goes back to a checkpoint's state; `run` then continues from it.
    ///
    /// - Throws: `CheckpointError` when the bytes are no checkpoint, are damaged, or belong to another network, other
    ///   settings or other inputs. Threads may differ, and so may the number of epochs where the schedule does not
    ///   depend on it.
    package func restore(_ whole: UnsafeRawBufferPointer) throws {
        let (head, bytes, start) = try Self.open(whole)
        var at = start
        guard head.definition == network.definition, head.values == network.valueFloats else {
            let network = try Self.differences(
                JSONValue(encoding: head.definition), JSONValue(encoding: network.definition))
            throw CheckpointError(
                "the checkpoint belongs to another network: "
                    + (differingInputs(head) + network).joined(separator: "; ")
                    + ". Go on with the data and options that the training began with, or start anew without resuming")
        }
        if let difference = try difference(head) {
            throw CheckpointError(
                "the checkpoint belongs to a training with other settings: \(difference). Go on with the same ones, or "
                    + "start anew without resuming")
        }
        let done = head.progress.epoch + (head.progress.stepInEpoch > 0 ? 1 : 0)
        guard done <= settings.epochs else {
            throw CheckpointError("the checkpoint is in epoch \(done) already, and there shall be \(settings.epochs)")
        }
        let floats = network.valueFloats * (head.best ? 2 : 1) + optimizer.memory.count + averaged.memory.count
        guard head.memory == optimizer.memory.count, head.averaged == averaged.memory.count,
            bytes.count - at == floats * 4
        else { throw CheckpointError("the checkpoint is cut off or damaged") }
        func take(_ to: Floats, _ count: Int) {
            memcpy(to, bytes.baseAddress! + at, count * 4)
            at += count * 4
        }
        take(network.values, network.valueFloats)
        take(optimizer.memory.baseAddress!, optimizer.memory.count)
        if let copy = averaged.memory.baseAddress { take(copy, averaged.memory.count) }
        best = []
        if head.best {
            best = [Float](repeating: 0, count: network.valueFloats)
            best.withUnsafeMutableBufferPointer { take($0.baseAddress!, $0.count) }
        }
        optimizer.steps = head.optimizerSteps
        progress = head.progress
        network.parametersChanged()
    }

    /// What would make this training another one than the checkpoint's.
    private func difference(_ head: Head) throws -> String? {
        var then = head.settings
        then.threads = settings.threads
        if !settings.schedule.dependsOnLength && settings.sizes.isEmpty && settings.hierarchy == 0 {
            then.epochs = settings.epochs
        }
        // The data first: settings may differ because the number of images does.
        let differences =
            try differingInputs(head)
            + Self.differences(JSONValue(encoding: then), JSONValue(encoding: settings))
        return differences.isEmpty ? nil : differences.joined(separator: "; ")
    }

    /// What the training was given beside its network and settings, and is not given now.
    private func differingInputs(_ head: Head) -> [String] {
        Set(head.inputs.keys).union(inputs.keys).sorted().filter { head.inputs[$0] != inputs[$0] }
            .map { "\($0) was \(head.inputs[$0] ?? "nothing"), now \(inputs[$0] ?? "nothing")" }
    }

    /// The members of two objects that differ.
    private static func differences(_ then: JSONValue, _ now: JSONValue) -> [String] {
        guard case .object(let old) = then, case .object(let new) = now else { return [] }
        return Set(old.keys).union(new.keys).sorted().filter { old[$0] != new[$0] }
            .map { "\($0) was \(old[$0]?.text ?? "nothing"), now \(new[$0]?.text ?? "nothing")" }
    }
}

/// A checkpoint that cannot be gone on from.
package struct CheckpointError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
