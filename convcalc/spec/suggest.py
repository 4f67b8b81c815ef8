"""Hints for the names that people bring from PyTorch, Keras, Caffe and ONNX."""

from __future__ import annotations

from collections.abc import Iterable

from convcalc.errors import did_you_mean

_LAYERS = {
    "conv1d": "conv", "conv2d": "conv", "conv3d": "conv", "convolution": "conv",
    "conv_2d": "conv", "convolution2d": "conv", "dense": "linear", "fc": "linear",
    "fully_connected": "linear", "gemm": "linear", "innerproduct": "linear",
    "bn": "batch_norm", "batchnorm": "batch_norm", "batchnorm2d": "batch_norm",
    "batchnormalization": "batch_norm", "batch_normalization": "batch_norm",
    "maxpool": "max_pool", "maxpool2d": "max_pool", "maxpooling2d": "max_pool",
    "max_pooling": "max_pool", "max_pooling2d": "max_pool", "pool": "max_pool",
    "avgpool": "avg_pool", "avgpool2d": "avg_pool", "averagepooling2d": "avg_pool",
    "averagepool": "avg_pool", "average_pool": "avg_pool", "mean_pool": "avg_pool",
    "gap": "global_avg_pool", "globalaveragepool": "global_avg_pool",
    "globalaveragepooling2d": "global_avg_pool", "global_average_pool": "global_avg_pool",
    "adaptiveavgpool2d": "adaptive_avg_pool", "adaptive_average_pool": "adaptive_avg_pool",
    "lrn": "local_response_norm", "localresponsenorm": "local_response_norm",
    "layernorm": "layer_norm", "ln": "layer_norm", "layernormalization": "layer_norm",
    "convtranspose": "conv_transpose", "convtranspose2d": "conv_transpose",
    "conv2dtranspose": "conv_transpose", "conv_transpose2d": "conv_transpose",
    "deconv": "conv_transpose", "deconvolution": "conv_transpose", "upconv": "conv_transpose",
    "upsampling2d": "upsample", "interpolate": "upsample", "resize": "upsample",
    "hardswish": "hard_swish", "hswish": "hard_swish", "hardsigmoid": "hard_sigmoid",
    "swish": "silu", "concatenate": "concat", "cat": "concat", "sum": "add", "residual": "add",
    "shortcut": "add", "eltwise": "add", "elementwise_add": "add", "mul": "multiply",
    "sub": "subtract", "transpose": "permute", "centercrop": "crop", "center_crop": "crop",
    "cropping2d": "crop", "layer_scale": "scale", "sequential": "layers",
    "channelshuffle": "channel_shuffle", "shuffle": "channel_shuffle",
    "pixelshuffle": "pixel_shuffle", "depthtospace": "pixel_shuffle",
    "subpixel": "pixel_shuffle", "pixelunshuffle": "pixel_unshuffle",
    "spacetodepth": "pixel_unshuffle", "absolute": "abs", "reducemean": "mean",
    "leakyrelu": "leaky_relu", "lrelu": "leaky_relu", "parametricrelu": "prelu",
    "hardtanh": "hard_tanh", "logsoftmax": "log_softmax", "gn": "group_norm",
    "groupnorm": "group_norm", "groupnormalization": "group_norm",
    "instancenorm": "instance_norm", "instancenorm2d": "instance_norm",
    "instancenormalization": "instance_norm", "adaptivemaxpool2d": "adaptive_max_pool",
    "gmp": "global_max_pool", "globalmaxpool": "global_max_pool",
    "globalmaxpooling2d": "global_max_pool", "view": "reshape", "unflatten": "reshape",
    "zeropadding2d": "pad", "zeropad2d": "pad", "constantpad2d": "pad",
    "reflectionpad2d": "pad", "replicationpad2d": "pad", "upsamplingbilinear2d": "upsample",
    "upsamplingnearest2d": "upsample", "depthwise": "depthwise_conv", "dwconv": "depthwise_conv",
    "depthwiseconv2d": "depthwise_conv", "separable": "separable_conv",
    "sepconv": "separable_conv", "separableconv2d": "separable_conv",
    "depthwiseseparableconv": "separable_conv",
}  # fmt: skip

_FIELDS = {
    "filters": "out_channels", "channels": "out_channels", "num_output": "out_channels",
    "out": "out_channels", "features": "out_features", "units": "out_features",
    "kernel_size": "kernel", "kernel_shape": "kernel", "pool_size": "kernel", "window": "kernel",
    "size": "kernel", "strides": "stride", "subsample": "stride", "pad": "padding",
    "pads": "padding", "dilations": "dilation", "dilation_rate": "dilation", "group": "groups",
    "use_bias": "bias", "bias_term": "bias", "p": "rate", "prob": "rate", "dim": "axis",
    "dims": "axes", "scale_factor": "scale", "output_size": "size", "normalized_shape": "axes",
    "epsilon": "eps", "return_indices": "", "negative_slope": "slope", "alpha": "slope",
    "num_parameters": "per_channel", "num_groups": "groups", "upscale_factor": "scale",
    "downscale_factor": "scale", "block_size": "scale", "blocksize": "scale",
    "depth_multiplier": "multiplier", "channel_multiplier": "multiplier",
    "keepdim": "keep_axes", "keepdims": "keep_axes", "keep_dims": "keep_axes",
    "track_running_stats": "running_statistics", "target_shape": "shape", "newshape": "shape",
    "paddings": "padding", "padding_mode": "mode", "interpolation": "mode",
}  # fmt: skip

_GIVEN_BY_INPUT = {"in_channels", "in_features", "num_features", "input_shape", "in_dim"}


def layer_hint(name: str, known: Iterable[str]) -> str:
    """The way out for an unknown layer or block."""
    known = list(known)
    plain = name.lower().replace("-", "_")
    for candidate in (plain, plain.replace("_", "")):
        familiar = _LAYERS.get(candidate)
        if familiar is not None and (familiar in known or familiar == "layers"):
            return f"Did you mean '{familiar}'?"
    return did_you_mean(plain, known) or "'convcalc layers' lists the layers."


def field_hint(name: str, known: Iterable[str]) -> str:
    """The way out for an unknown field or argument."""
    known = list(known)
    familiar = _FIELDS.get(name.lower())
    if familiar in known:
        return f"Did you mean '{familiar}'?"
    if name == "activation":
        return "An activation is an entry of its own: '- relu' after this one."
    if name in _GIVEN_BY_INPUT:
        return "It follows from the input: leave it out."
    return did_you_mean(name, known) or (
        f"It has {', '.join(known)}." if known else "It takes no value."
    )
