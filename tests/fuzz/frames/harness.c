/*
 * From a fuzzer's bytes to a frame, its pixels, options and whatever a network may "compute", through every function
 * of one library; compiled once per library with LOWER(x) and UPPER(x) as its prefixes and KIND as its answer. What
 * the header promises of results is checked: libFuzzer reports an abort. All buffers end where they should.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include HEADER

enum { CLASSES_KIND, BOXES_KIND, MASK_KIND };
enum { SAME_SCORES, SOFTMAX_SCORES, LOGISTIC_SCORES, EXP_SCORES };
enum { MOST_PIXELS = 1 << 16, CANARY = 0x7d };

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "broken: %s at line %d\n", #condition, __LINE__);                                          \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct bytes {
    const uint8_t *at;
    size_t left, taken;
} bytes;

/* The next byte; behind the end a pattern, so that short inputs say something, too. */
static unsigned draw(bytes *from)
{
    ++from->taken;
    if (from->left > 0) {
        --from->left;
        return *from->at++;
    }
    return (unsigned)(from->taken * 37u + from->taken / 64u) & 255u;
}

static unsigned draw16(bytes *from)
{
    const unsigned low = draw(from);
    return low | draw(from) << 8;
}

/* Any float: an ordinary one, an odd one, or any bits. */
static float draw_float(bytes *from)
{
    static const uint32_t odd[16] = {
        0x7fc00000u, 0xffc00001u, 0x7f800000u, 0xff800000u, 0x00000000u, 0x80000000u, 0x00000001u, 0x7f7fffffu,
        0xff7fffffu, 0x42b00000u, 0xc2ae0000u, 0x3f800000u, 0x7f800001u, 0x4f000000u, 0xcf000000u, 0x00800000u};
    const unsigned first = draw(from);
    uint32_t bits;
    float made;
    if (first >= 32) {
        return ((float)first - 144.0f) / 16.0f;
    }
    bits = odd[first & 15];
    if (first >= 16) {
        bits = draw16(from);
        bits |= (uint32_t)draw16(from) << 16;
    }
    memcpy(&made, &bits, 4);
    return made;
}

static void *exactly(size_t size)
{
    void *const made = malloc(size);
    if (size > 0 && made == NULL) {
        exit(0);
    }
    memset(made, CANARY, size);
    return made;
}

/* ---- The network ---- */

static void *given[UPPER(OUTPUT_COUNT)]; /* what it "computes" */
static const size_t given_bytes[] = {OUTPUT_BYTES};
static unsigned runs;

UPPER(API) LOWER(status) LOWER(run)(LOWER(ctx) *context, const void *const inputs[], void *const outputs[])
{
    unsigned i;
    float sum = 0;
    const float *const values = (const float *)inputs[0];
    (void)context;
    for (i = 0; i < UPPER(INPUT_0_BYTES) / 4; ++i) {
        sum += values[i];
        CHECK(values[i] >= LEAST_INPUT && values[i] <= MOST_INPUT);
    }
    for (i = 0; i < UPPER(OUTPUT_COUNT); ++i) {
        memcpy(outputs[i], given[i], given_bytes[i]);
    }
    ++runs;
    return sum == 12345.0f ? UPPER(E_NULL_BUFFER) : UPPER(OK);
}

/* Values of all kinds, or, since a fuzzer seldom makes a whole row of odd ones, only one or two different ones. */
static float draw_output(bytes *from, unsigned mood, const float few[2])
{
    return mood < 40 ? few[0] : mood < 80 ? few[draw(from) % 2] : draw_float(from);
}

static void compute(bytes *from)
{
    const unsigned mood = draw(from);
    unsigned i;
    size_t at;
    float few[2];
    few[0] = draw_float(from);
    few[1] = draw_float(from);
    for (i = 0; i < UPPER(OUTPUT_COUNT); ++i) {
        given[i] = exactly(given_bytes[i]);
        if (KIND == MASK_KIND) {
            for (at = 0; at < given_bytes[i]; ++at) {
                ((uint8_t *)given[i])[at] = (uint8_t)(draw(from) % MASK_CLASSES);
            }
        } else {
            for (at = 0; at < given_bytes[i] / 4; ++at) {
                ((float *)given[i])[at] = draw_output(from, mood, few);
            }
        }
    }
}

/* ---- Frames ---- */

static size_t pairs(size_t value) { return value / 2 + value % 2; }

static void rows_and_bytes(const LOWER(frame) *frame, size_t rows[2], size_t row_bytes[2])
{
    const int planar = frame->format == UPPER(NV12) || frame->format == UPPER(NV21);
    const size_t width = frame->width;
    rows[0] = frame->height;
    rows[1] = planar ? pairs(frame->height) : 0;
    row_bytes[0] = planar ? width
                 : frame->format == UPPER(RGBA) ? 4 * width
                 : frame->format == UPPER(YUYV) ? 4 * pairs(width) : 3 * width;
    row_bytes[1] = planar ? 2 * pairs(width) : 0;
}

/* A side: mostly small, sometimes at or beyond the limits. */
static uint32_t draw_side(bytes *from)
{
    static const uint32_t odd[8] = {0, 1, 2, 32766, 32767, 32768, 65537, 0xffffffffu};
    const unsigned kind = draw(from);
    return kind < 224 ? 1 + kind % 97 : kind < 240 ? 1 + draw16(from) : odd[kind % 8];
}

/* Returns whether the frame has memory: a frame that is too large to be tried gets none, and is refused for its size. */
static int draw_frame(bytes *from, LOWER(frame) *frame, uint8_t *planes[2])
{
    const unsigned flaws = draw(from);
    size_t rows[2], row_bytes[2];
    int p;
    memset(frame, 0, sizeof *frame);
    frame->format = (LOWER(format))(draw(from) % 7);
    frame->yuv = (LOWER(yuv))(draw(from) % 5);
    frame->fit = (LOWER(fit))(draw(from) % 5);
    frame->rotation = 90 * (draw(from) % 5) + (flaws == 255);
    frame->width = draw_side(from);
    frame->height = draw_side(from);
    if ((uint64_t)frame->width * frame->height > MOST_PIXELS && frame->width <= UPPER(FRAME_SIDE)
        && frame->height <= UPPER(FRAME_SIDE)) {
        frame->height = 1 + MOST_PIXELS / 2 / frame->width;
    }
    rows_and_bytes(frame, rows, row_bytes);
    for (p = 0; p < 2; ++p) {
        const size_t stride = row_bytes[p] + draw(from) % 4;
        const int tried = frame->width <= UPPER(FRAME_SIDE) && frame->height <= UPPER(FRAME_SIDE);
        const size_t total = rows[p] > 0 && tried ? stride * (rows[p] - 1) + row_bytes[p] : 0;
        size_t at;
        planes[p] = (uint8_t *)exactly(total);
        for (at = 0; at < total; ++at) {
            planes[p][at] = (uint8_t)(at < 512 ? draw(from) : planes[p][at - 512]);
        }
        frame->planes[p] = flaws == 200u + (unsigned)p ? NULL : planes[p];
        frame->strides[p] = flaws == 210u + (unsigned)p ? stride / 2
                          : flaws == 220u + (unsigned)p ? SIZE_MAX - stride : stride;
    }
    return 1;
}

/* ---- What the header promises ---- */

#if KIND == 0
static int is_nan(float value) { return value != value; }

/* The score of a class, by what the header says becomes of the values. */
static void check_score(const float *values, const LOWER(class) *found)
{
    const float value = values[found->class_id], score = found->score;
    int unknown = is_nan(value), lowest = 1;
    unsigned i;
    for (i = 0; SCORES == SOFTMAX_SCORES && i < CLASS_COUNT; ++i) {
        unknown |= is_nan(values[i]) || values[i] > 3.4028235e38f;
        lowest &= values[i] < -3.4028235e38f;
    }
    if (unknown || (SCORES == SOFTMAX_SCORES && lowest)) {
        CHECK(is_nan(score));
    } else if (SCORES == SAME_SCORES) {
        CHECK(score == value);
    } else {
        CHECK(score >= 0.0f && (SCORES == EXP_SCORES || score <= 1.00001f));
    }
}

static void answer(bytes *from, LOWER(frame) *frame, LOWER(status) loaded, void *workspace, size_t size)
{
    const unsigned most = draw(from) % (CLASS_COUNT + 3);
    const float *const values = (const float *)given[0];
    LOWER(class) *const best = (LOWER(class) *)exactly(most * sizeof *best);
    unsigned count = 99, again = 98, i, j;
    float sum = 0;
    LOWER(status) status = LOWER(top)(values, best, most, &count);
    CHECK(status == UPPER(OK));
    CHECK(count == (most < CLASS_COUNT ? most : CLASS_COUNT));
    for (i = 0; i < count; ++i) {
        CHECK(best[i].class_id < CLASS_COUNT);
        check_score(values, &best[i]);
        sum += best[i].score;
        for (j = 0; j < i; ++j) {
            const float a = values[best[j].class_id], b = values[best[i].class_id];
            CHECK(best[j].class_id != best[i].class_id);
            CHECK(a > b || (a == b && best[j].class_id < best[i].class_id)
                  || (is_nan(b) && (!is_nan(a) || best[j].class_id < best[i].class_id)));
            CHECK(!(best[i].score > best[j].score));
        }
    }
    CHECK(SCORES != SOFTMAX_SCORES || !(sum > 1.0001f));
    status = LOWER(run_frame)(NULL, frame, workspace, size, best, most, &again);
    CHECK(status == loaded);
    CHECK(status != UPPER(OK) || again == count);
    free(best);
}
#elif KIND == 1
static void answer(bytes *from, LOWER(frame) *frame, LOWER(status) loaded, void *workspace, size_t size)
{
    const unsigned most = draw(from) % 40;
    LOWER(detection) *const found = (LOWER(detection) *)exactly(most * sizeof *found);
    LOWER(limits) limits;
    const int own = draw(from) % 2 == 0;
    const float width = (float)frame->width, height = (float)frame->height;
    unsigned count = 99, i;
    LOWER(status) status;
    limits.score = draw_float(from);
    limits.overlap = draw_float(from);
    status = LOWER(run_frame)(NULL, frame, own ? &limits : NULL, workspace, size, found, most, &count);
    CHECK(status == loaded);
    for (i = 0; status == UPPER(OK) && i < count; ++i) {
        CHECK(count <= most && count <= UPPER(DETECTIONS));
        CHECK(found[i].class_id < SLOT_COUNT && (int)found[i].class_id != BACKGROUND_SLOT);
        CHECK(found[i].score >= 0.0f && found[i].score <= 1.00001f);
        CHECK(!own || found[i].score > limits.score);
        CHECK(i == 0 || found[i].score <= found[i - 1].score);
        CHECK(found[i].x0 >= 0 && found[i].x0 <= found[i].x1 && found[i].x1 <= width);
        CHECK(found[i].y0 >= 0 && found[i].y0 <= found[i].y1 && found[i].y1 <= height);
    }
    free(found);
}
#else
static void answer(bytes *from, LOWER(frame) *frame, LOWER(status) loaded, void *workspace, size_t size)
{
    const size_t more = draw(from) % 3, stride = frame->width + more;
    const size_t total = loaded == UPPER(OK) ? stride * (frame->height - 1) + frame->width : 1;
    uint8_t *const to = (uint8_t *)exactly(total);
    uint32_t row, column;
    LOWER(status) status = LOWER(run_frame)(NULL, frame, workspace, size, to, stride);
    CHECK(status == loaded);
    for (row = 0; status == UPPER(OK) && row < frame->height; ++row) {
        for (column = 0; column < stride && row * stride + column < total; ++column) {
            const uint8_t seen = to[row * stride + column];
            CHECK(column < frame->width ? seen < MASK_CLASSES || seen == UPPER(UNSEEN) : seen == CANARY);
        }
    }
    status = LOWER(frame_mask)((const uint8_t *)given[0], frame, to, stride / 2);
    CHECK(status != UPPER(OK) || frame->width == 0 || stride / 2 >= frame->width);
    free(to);
}
#endif

void LOWER(try)(const uint8_t *data, size_t length);

void LOWER(try)(const uint8_t *data, size_t length)
{
    bytes from = {data, length, 0};
    LOWER(frame) frame;
    LOWER(status) status;
    uint8_t *planes[2];
    float *const input = (float *)exactly(UPPER(INPUT_0_BYTES));
    uint8_t *const memory = (uint8_t *)exactly(UPPER(FRAME_BYTES) + 2 * UPPER(FRAME_ALIGN));
    uint8_t *const workspace = memory + (UPPER(FRAME_ALIGN) - (uintptr_t)memory % UPPER(FRAME_ALIGN));
    const unsigned before = runs;
    unsigned i;
    draw_frame(&from, &frame, planes);
    status = LOWER(load_frame)(&frame, input);
    for (i = 0; i < UPPER(INPUT_0_BYTES) / 4; ++i) {
        CHECK(status == UPPER(OK) ? input[i] >= LEAST_INPUT && input[i] <= MOST_INPUT
                                  : ((uint8_t *)&input[i])[0] == CANARY);
    }
    compute(&from);
    answer(&from, &frame, status, workspace, UPPER(FRAME_BYTES));
    CHECK(runs == before + (status == UPPER(OK)));
    CHECK(workspace[UPPER(FRAME_BYTES)] == CANARY);
    for (i = 0; i < UPPER(OUTPUT_COUNT); ++i) {
        free(given[i]);
    }
    free(planes[0]);
    free(planes[1]);
    free(input);
    free(memory);
}
