// The thin wrapper around the SentencePiece library.
#include "host/text/sentencepiece.h"

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

struct tt_spm {
    sentencepiece::SentencePieceProcessor processor;
};

namespace {

thread_local std::string message;

const char *result(const sentencepiece::util::Status &status) {
    if (status.ok()) return nullptr;
    message = status.ToString();
    return message.c_str();
}

// Runs `work`, which returns a library status, and turns exceptions into messages.
template <typename Work> const char *guarded(Work work) {
    try {
        return result(work());
    } catch (const std::exception &e) {
        message = e.what();
    } catch (...) {
        message = "unknown exception";
    }
    return message.c_str();
}

// The unigram trainer takes as seeds only strings that occur in two distinct words. Where punctuation is
// split off, a common word may occur in no other: written twice over it does, and can become a piece.
std::vector<std::string> doubled_words(const char *const *texts, size_t n) {
    enum { COMMON = 3 };
    std::map<std::string, size_t> counts; // ordered, so that the same texts give the same model
    const char *const split = " \t\n.,?!:;()";
    for (size_t i = 0; i < n; ++i)
        for (const char *p = texts[i]; *(p += strspn(p, split));) {
            const size_t length = strcspn(p, split);
            counts[std::string(p, length)]++;
            p += length;
        }
    std::vector<std::string> doubled;
    for (const auto &[word, count] : counts)
        if (count >= COMMON) doubled.push_back(word + word);
    return doubled;
}

// Texts, then `more`.
class Texts : public sentencepiece::SentenceIterator {
  public:
    Texts(const char *const *texts, size_t n, std::vector<std::string> more)
        : texts_(texts), n_(n), more_(std::move(more)) {
        load();
    }
    bool done() const override { return at_ >= n_ + more_.size(); }
    void Next() override {
        ++at_;
        load();
    }
    const std::string &value() const override { return value_; }
    sentencepiece::util::Status status() const override { return {}; }

  private:
    void load() {
        if (!done()) value_ = at_ < n_ ? texts_[at_] : more_[at_ - n_];
    }
    const char *const *texts_;
    size_t n_, at_ = 0;
    std::vector<std::string> more_;
    std::string value_;
};

} // namespace

const char *tt_spm_open(tt_spm **out, const void *bytes, size_t n) {
    *out = nullptr;
    return guarded([&]() -> sentencepiece::util::Status {
        auto spm = std::make_unique<tt_spm>();
        auto status =
            spm->processor.LoadFromSerializedProto(std::string(static_cast<const char *>(bytes), n));
        if (status.ok()) *out = spm.release();
        return status;
    });
}

void tt_spm_close(tt_spm *spm) {
    delete spm;
}

int tt_spm_size(const tt_spm *spm) {
    return spm->processor.GetPieceSize();
}
int tt_spm_pad(const tt_spm *spm) {
    return spm->processor.pad_id();
}
int tt_spm_eos(const tt_spm *spm) {
    return spm->processor.eos_id();
}
int tt_spm_unk(const tt_spm *spm) {
    return spm->processor.unk_id();
}
const char *tt_spm_piece(const tt_spm *spm, int id) {
    return spm->processor.IdToPiece(id).c_str();
}
int tt_spm_find(const tt_spm *spm, const char *piece) {
    return spm->processor.PieceToId(piece);
}

const char *tt_spm_decode(
    const tt_spm *spm, const int32_t *ids, int n, void (*take)(void *, const char *, size_t), void *context) {
    return guarded([&] {
        std::string text;
        auto status = spm->processor.Decode(std::vector<int>(ids, ids + n), &text);
        if (status.ok()) take(context, text.data(), text.size());
        return status;
    });
}

const char *tt_spm_train(const char *const *texts, size_t n, const tt_tokenizer_training *how,
    void (*take)(void *, const char *, size_t), void *context) {
    return guarded([&] {
        // A user-defined symbol is always a piece and never part of a longer one: so punctuation is split
        // off.
        std::string symbols;
        auto add = [&](const std::string &symbol) {
            symbols += (symbols.empty() ? "\"" : ",\"") + symbol + "\"";
        };
        for (int i = 0; i < how->n_symbols; ++i) add(how->symbols[i]);
        if (how->split_punctuation)
            for (const char *mark : {".", ",", "?", "!", ":", ";"}) add(mark);
        std::unordered_map<std::string, std::string> options = {{"model_type", "unigram"},
            {"vocab_size", std::to_string(how->pieces)}, {"pad_id", "0"}, {"eos_id", "1"}, {"unk_id", "2"},
            {"bos_id", "-1"}, {"character_coverage", "1.0"}, {"num_threads", "1"}, {"minloglevel", "2"},
            {"max_sentence_length", "1000000"}};
        if (!symbols.empty()) options["user_defined_symbols"] = symbols;
        Texts iterator(
            texts, n, how->split_punctuation ? doubled_words(texts, n) : std::vector<std::string>());
        std::string model; // in memory: a file's name would become part of it
        auto status = sentencepiece::SentencePieceTrainer::Train(options, &iterator, &model);
        if (status.ok()) take(context, model.data(), model.size());
        return status;
    });
}
