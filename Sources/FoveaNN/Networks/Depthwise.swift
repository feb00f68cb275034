/// The depthwise CNN of omar-mohamed/Object-Classification-CIFAR-100: *vanilla*, with the same settings, but from the second
/// block on each convolution is a depthwise k×k and a pointwise 1×1 (Howard et al. 2017): a quarter of the
/// multiplications.
func depthwise(_ definition: NetworkDefinition, _ net: inout LayerStack) throws {
    try blocks(definition, &net) { net, block, index, channels, kernel throws(ShapeError) in
        if index == 0 {
            try net.convolution("\(block).conv", channels: channels, kernel: kernel)
        } else {
            try net.depthwiseConvolution("\(block).depthwise", kernel: kernel)
            try net.convolution("\(block).pointwise", channels: channels, kernel: 1)
        }
    }
}
