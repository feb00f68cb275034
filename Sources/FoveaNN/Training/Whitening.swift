import Glibc

/// The filters of a whitening stem (Page 2019, "How to train your ResNet 8: bag of tricks"): the principal directions of
/// small patches, each divided by its standard deviation, and their negatives.
package enum Whitening {
    /// `count` of the images, evenly from all: a folder per class has its images class by class.
    package static func sample(_ indices: [Int], _ count: Int) -> [Int] {
        (0..<count).map { indices[$0 * indices.count / count] }
    }

    /// - Parameters:
    ///   - images: count × height × width × channels, as the network takes them.
    ///   - epsilon: added to the variances, so that directions without any do not become noise.
    /// - Returns: [kernel, kernel, channels, 2 × kernel² × channels], row-major.
    package static func filters(
        _ images: UnsafePointer<Float>, count: Int, _ shape: Shape, kernel: Int, epsilon: Double = 5e-4
    ) -> [Float] {
        let size = kernel * kernel * shape.channels
        var covariance = [Double](repeating: 0, count: size * size)
        var patch = [Double](repeating: 0, count: size)
        var patches = 0
        for n in 0..<count {
            for y in 0...(shape.height - kernel) {
                for x in 0...(shape.width - kernel) {
                    for i in 0..<size {
                        let (position, channel) = i.quotientAndRemainder(dividingBy: shape.channels)
                        let row = (n * shape.height + y + position / kernel) * shape.width + x + position % kernel
                        patch[i] = Double(images[row * shape.channels + channel])
                    }
                    for i in 0..<size { for j in i..<size { covariance[i * size + j] += patch[i] * patch[j] } }
                    patches += 1
                }
            }
        }
        for i in 0..<size {
            for j in i..<size {
                covariance[i * size + j] /= Double(max(1, patches))
                covariance[j * size + i] = covariance[i * size + j]
            }
        }
        let (values, vectors) = eigen(covariance, size)
        let order = values.indices.sorted { values[$0] > values[$1] }
        var filters = [Float](repeating: 0, count: size * 2 * size)
        for (place, k) in order.enumerated() {
            let scale = 1 / (max(0, values[k]) + epsilon).squareRoot()
            for i in 0..<size {
                let weight = Float(vectors[i * size + k] * scale)
                filters[i * 2 * size + place] = weight
                filters[i * 2 * size + size + place] = -weight
            }
        }
        return filters
    }

    /// Eigenvalues and, in columns, eigenvectors of a symmetric matrix, by Jacobi's rotations (Golub & Van Loan, 8.5).
    static func eigen(_ matrix: [Double], _ n: Int) -> (values: [Double], vectors: [Double]) {
        var a = matrix
        var v = (0..<n * n).map { $0 / n == $0 % n ? 1.0 : 0 }
        for _ in 0..<60 {
            var off = 0.0
            for i in 0..<n { for j in 0..<n where i != j { off += a[i * n + j] * a[i * n + j] } }
            if off < 1e-24 { break }
            for p in 0..<n {
                for q in p + 1..<max(p + 1, n) where abs(a[p * n + q]) > 1e-300 {
                    let theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q])
                    let t = (theta < 0 ? -1.0 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
                    let c = 1 / (t * t + 1).squareRoot()
                    let s = t * c
                    for k in 0..<n {
                        let (x, y) = (a[k * n + p], a[k * n + q])
                        (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y)
                    }
                    for k in 0..<n {
                        let (x, y) = (a[p * n + k], a[q * n + k])
                        (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y)
                    }
                    for k in 0..<n {
                        let (x, y) = (v[k * n + p], v[k * n + q])
                        (v[k * n + p], v[k * n + q]) = (c * x - s * y, s * x + c * y)
                    }
                }
            }
        }
        return ((0..<n).map { a[$0 * n + $0] }, v)
    }
}
