#include "tests/unit/sentencepiece_twin.h"

#include <sentencepiece_processor.h>

#include <string>
#include <vector>

struct twin {
    sentencepiece::SentencePieceProcessor processor;
    std::string out;
};

twin *twin_open(const void *bytes, size_t n) {
    auto *t = new twin;
    const std::string model(static_cast<const char *>(bytes), n);
    if (t->processor.LoadFromSerializedProto(model).ok()) return t;
    delete t;
    return nullptr;
}

void twin_close(twin *t) {
    delete t;
}

const char *twin_encode(twin *t, const char *text, size_t n) {
    std::vector<int> ids;
    std::vector<std::string> pieces;
    t->out = "";
    if (!t->processor.Encode(std::string(text, n), &ids).ok()) return "failed";
    if (!t->processor.Encode(std::string(text, n), &pieces).ok()) return "failed";
    for (size_t i = 0; i < ids.size(); ++i) t->out += std::to_string(ids[i]) + " " + pieces[i] + "\n";
    return t->out.c_str();
}
