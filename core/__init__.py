"""What every room speaks: errors, images, preprocessing, data sets, metrics and models."""
