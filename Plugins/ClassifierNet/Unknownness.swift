import CKernels
import FoveaModels

/// How far images are from all that the model has learnt, in units of the model's own threshold.
///
/// The measure is 1 − cosine between the features of an image and those of its nth nearest known image. An image's value does not
/// depend on the batch: each row of the product is computed alone.
final class Unknownness {
    private let known: [Float]
    private let features: Int
    private let count: Int
    private let parameters: KnownFeatures
    /// Features of the last batch, and the cosines of one image.
    private(set) var entered: [Float]
    private var cosines: [Float]

    /// - Parameters:
    ///   - known: count × features, each of length 1.
    ///   - maxCount: images of the largest batch.
    init(known: [Float], features: Int, parameters: KnownFeatures, maxCount: Int) {
        precondition(features > 0 && known.count % features == 0 && !known.isEmpty)
        (self.known, self.features, self.parameters) = (known, features, parameters)
        count = known.count / features
        entered = [Float](repeating: 0, count: maxCount * features)
        cosines = [Float](repeating: 0, count: count)
    }

    /// Where the network leaves the features of a batch.
    func withFeatures<R>(_ body: (UnsafeMutablePointer<Float>) -> R) -> R {
        entered.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }

    /// The unknown-ness of the first images of the last batch.
    func measure(count images: Int, into output: UnsafeMutablePointer<Float>) {
        let nth = min(parameters.neighbours, count)
        for n in 0..<images {
            entered.withUnsafeBufferPointer { entered in
                let row = entered.baseAddress! + n * features
                let length = Float(ck_sum_squares(row, features)).squareRoot()
                // An image without any feature is like nothing.
                guard length > 0, length.isFinite else {
                    output[n] = Float(2 / parameters.threshold)
                    return
                }
                ck_product_once(1, Int32(count), Int32(features), row, features, known, features, 1, &cosines, count)
                // The nth largest, without sorting all.
                var best = [Float](repeating: -.infinity, count: nth)
                for cosine in cosines where cosine > best[nth - 1] {
                    var place = nth - 1
                    while place > 0, best[place - 1] < cosine {
                        best[place] = best[place - 1]
                        place -= 1
                    }
                    best[place] = cosine
                }
                output[n] = Float(Double(max(0, 1 - best[nth - 1] / length)) / parameters.threshold)
            }
        }
    }
}
