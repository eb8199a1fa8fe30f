"""Files and label tables to batches of tensors.

``decode.load_image`` reads any image; ``dataset.ImageFiles`` and ``loader.make_loader`` make uint8 batches in the order
that one of ``samplers.samplers`` draws; ``augment.Augment`` and ``mixing.mix`` change them, on the device.
"""
