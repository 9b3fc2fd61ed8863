// What the handles of the C interface hold.
#pragma once

#include <memory>
#include <string>

#include "../bundle/bundle.h"
#include "../engine/engine.h"
#include "../gallery/gallery.h"
#include "../image/image.h"
#include "../pipeline/pipeline.h"
#include "personvit/personvit.h"

struct pv_bundle {
  std::shared_ptr<const pv::Bundle> bundle;
};

struct pv_cropper {
  explicit pv_cropper(const pv::Preprocess& preprocess) : resizer(preprocess) {}
  pv::Decoder decoder;
  pv::Resizer resizer;
  pv::Image image;
};

struct pv_engine {
  std::shared_ptr<const pv::Bundle> bundle;
  std::unique_ptr<pv::Engine> engine;
  std::string info;
};

struct pv_pipeline {
  std::unique_ptr<pv::Pipeline> pipeline;
};

struct pv_gallery {
  std::unique_ptr<pv::Gallery> gallery;
};

struct pv_tracklet {
  pv_tracklet(int wanted, int most_crops) : tracklet(wanted, most_crops), dimension(wanted) {}
  pv::Tracklet tracklet;
  int dimension;
};
