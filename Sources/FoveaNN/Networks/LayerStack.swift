/// Builds a chain of layers, each taking what the one before gives. Each layer's file adds its own verb.
struct LayerStack {
    private(set) var layers: [any Layer] = []
    private(set) var shape: Shape
    let mode: Mode

    init(input: Shape, mode: Mode) {
        shape = input
        self.mode = mode
    }

    mutating func append(_ layer: any Layer) {
        layers.append(layer)
        shape = layer.output
    }
}

extension [Int] {
    /// Numbers of channels times `width`, rounded, 1 at least; what is no number of channels stays for the layer to refuse.
    func scaled(by width: Double) throws(ShapeError) -> [Int] {
        guard width > 0, width <= 1024 else {
            throw ShapeError("width", given: "\(width)", expected: "a factor above 0, 1024 at most")
        }
        if width == 1 { return self }
        var result: [Int] = []
        for channels in self {
            guard let scaled = Int(exactly: (Double(channels) * width).rounded()) else {
                throw ShapeError("width", given: "\(width) times \(channels)", expected: "fewer channels")
            }
            result.append(channels > 0 ? Swift.max(1, scaled) : channels)
        }
        return result
    }
}
