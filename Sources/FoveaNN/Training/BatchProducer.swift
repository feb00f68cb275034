import FoveaSystem
import Glibc
import SystemPackage

/// Prepares batches on its own thread, two ahead of the one that is trained on.
///
/// ```
///   producer:  fill 0 │ fill 1 │ wait … │ fill 0 │
///   trainer:          │ take 0 ──────── │ take 1 ──
/// ```
/// What a batch holds depends only on (seed, epoch, number of the batch), so it may be asked for from any batch on.
///
/// `@unchecked Sendable`: what may change is used under `mutex`; a slot belongs to the
/// producer until it is ready and to the trainer until it is given back.
final class BatchProducer: @unchecked Sendable {
    struct Batch {
        let images: UnsafeMutablePointer<Float>
        let targets: UnsafeMutablePointer<Target>
        let count: Int
    }

    /// Sides of the images that a batch is to have; the source gives them in their own size.
    typealias Stage = (_ batch: Int) -> Shape

    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private let slots: [(images: UnsafeMutablePointer<Float>, targets: UnsafeMutablePointer<Target>)]
    private var counts = (0, 0)
    private var produced = 0
    private var taken = 0
    private var failure: (any Error)?
    private var stopping = false
    private var handle: pthread_t?
    private let source: any TrainingSource
    private let order: [Int]
    private let batches: Range<Int>
    private let batch: Int
    private let seed: UInt64
    private let epoch: Int
    private let input: Shape
    private let target: Stage
    /// Where the source writes images that are then made smaller.
    private let full: UnsafeMutablePointer<Float>
    private let labels: UnsafeMutablePointer<Int32>
    private let mixing: CutMix?

    /// - Parameters:
    ///   - order: indices of the epoch's images.
    ///   - batches: which batches of `order` are wanted; the last may be short.
    ///   - cutMix: share of the images that are mixed with another one.
    /// - Throws: `SystemError` where the system gives no more threads.
    init(
        _ source: any TrainingSource, order: [Int], batches: Range<Int>, batch: Int, input: Shape, seed: UInt64,
        epoch: Int, cutMix: Double = 0, target: @escaping Stage
    ) throws(SystemError) {
        (self.source, self.order, self.batches, self.batch) = (source, order, batches, batch)
        (self.seed, self.epoch, self.input, self.target) = (seed, epoch, input, target)
        full = .allocate(capacity: batch * input.count)
        labels = .allocate(capacity: batch)
        mixing = cutMix > 0 ? CutMix(input, share: cutMix, batch: batch) : nil
        slots = (0..<2).map { _ in (.allocate(capacity: batch * input.count), .allocate(capacity: batch)) }
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(changed, nil)
        var handle = pthread_t()
        let code = pthread_create(&handle, nil, producerMain, Unmanaged.passUnretained(self).toOpaque())
        guard code == 0 else {
            throw SystemError("pthread_create", "the thread that prepares images", errno: Errno(rawValue: code))
        }
        self.handle = handle
    }

    deinit {
        pthread_mutex_lock(mutex)
        stopping = true
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
        if let handle { pthread_join(handle, nil) }
        for slot in slots {
            slot.images.deallocate()
            slot.targets.deallocate()
        }
        full.deallocate()
        labels.deallocate()
        pthread_cond_destroy(changed)
        pthread_mutex_destroy(mutex)
        changed.deallocate()
        mutex.deallocate()
    }

    /// Calls `body` with the next batch, waiting for it; false when there are no more.
    func take(_ body: (Batch) throws -> Void) throws -> Bool {
        if taken == batches.count { return false }
        pthread_mutex_lock(mutex)
        while produced == taken && failure == nil { pthread_cond_wait(changed, mutex) }
        let failure = produced == taken ? failure : nil
        let count = taken % 2 == 0 ? counts.0 : counts.1
        pthread_mutex_unlock(mutex)
        if let failure { throw failure }
        let slot = slots[taken % 2]
        try body(Batch(images: slot.images, targets: slot.targets, count: count))
        pthread_mutex_lock(mutex)
        taken += 1
        pthread_cond_broadcast(changed)
        pthread_mutex_unlock(mutex)
        return true
    }

    fileprivate func produce() {
        // One for all batches of the same size.
        var known: (to: Shape, smaller: Downsampling)?
        for (number, index) in batches.enumerated() {
            pthread_mutex_lock(mutex)
            while number >= taken + 2 && !stopping { pthread_cond_wait(changed, mutex) }
            let stop = stopping
            pthread_mutex_unlock(mutex)
            if stop { return }
            let first = index * batch
            let indices = order[first..<min(order.count, first + batch)]
            var random = SeededGenerator(seed, 1, UInt64(epoch), UInt64(index))
            let slot = number % 2
            let wanted = target(index)
            if wanted != input, known?.to != wanted { known = (wanted, Downsampling(from: input, to: wanted)) }
            let smaller = wanted == input ? nil : known?.smaller
            let result = Result {
                try source.fill(
                    smaller == nil ? slots[slot].images : full, labels: labels, indices: indices, epoch: epoch,
                    random: &random)
                for n in 0..<indices.count { slots[slot].targets[n] = Target(labels[n]) }
                mixing?.apply(
                    smaller == nil ? slots[slot].images : full, slots[slot].targets, count: indices.count,
                    random: &random)
                smaller?.apply(full, to: slots[slot].images, count: indices.count)
            }
            pthread_mutex_lock(mutex)
            switch result {
            case .success:
                if slot == 0 { counts.0 = indices.count } else { counts.1 = indices.count }
                produced += 1
            case .failure(let error): failure = error
            }
            pthread_cond_broadcast(changed)
            pthread_mutex_unlock(mutex)
            if case .failure = result { return }
        }
    }
}

private func producerMain(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    // Without a reference of its own: the last one that the trainer gives up must end this thread.
    if let argument { Unmanaged<BatchProducer>.fromOpaque(argument)._withUnsafeGuaranteedRef { $0.produce() } }
    return nil
}
