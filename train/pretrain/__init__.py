"""Pre-training without labels: PersonViT and DINO."""
