/*
 * Reads frames as a camera or a video decoder writes them and prints what a compiled network sees in each: detections,
 * the best classes, or (as a PGM picture) the mask. Frames are PPM pictures (P6), one after the other.
 *
 *   cc -O2 -I DIR -DNAME=net -DNAME_H='"net.h"' -DBOXES camera.c DIR/libnet.a -o camera     (or -DCLASSES, or -DMASK)
 *   ffmpeg -i video.mp4 -f image2pipe -vcodec ppm - | ./camera [DEGREES] > answers
 *
 * NAME is the library's name. DEGREES is how far frames must be turned clockwise to be upright: 0, 90, 180 or 270.
 * A decoder that gives NV12 needs no PPM: the two planes go into the frame as they are, see the comment in show().
 */
#include <stdio.h>
#include <stdlib.h>
#include NAME_H

#define JOIN(a, b) a##_##b
#define NAMED(a, b) JOIN(a, b)
#define NET(what) NAMED(NAME, what) /* NET(run) is net_run */

/* The sizes are asked of the library, which must be the header's own: NAME_init checks that. */
static void *block(size_t bytes, size_t alignment)
{
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

/* A number of a PPM header; comments run from # to the end of a line. -1 at the end of the file. */
static long number(FILE *file)
{
    long value = 0;
    int c = getc(file);
    while (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '#') {
        while (c == '#' && (c = getc(file)) != '\n' && c != EOF) {
            c = '#';
        }
        c = getc(file);
    }
    if (c < '0' || c > '9') {
        return -1;
    }
    for (; c >= '0' && c <= '9' && value < 100000; c = getc(file)) {
        value = 10 * value + c - '0';
    }
    return value;
}

/* The next picture: 1, or 0 at the end, or -1 where the file is no PPM. The pixels are the caller's to free. */
static int next_frame(FILE *file, NET(frame) *frame)
{
    const int first = getc(file);
    long width, height;
    unsigned char *pixels;
    if (first == EOF) {
        return 0;
    }
    if (first != 'P' || getc(file) != '6') {
        return -1;
    }
    width = number(file);
    height = number(file);
    if (width < 1 || height < 1 || width > 32767 || height > 32767 || number(file) != 255) {
        return -1;
    }
    pixels = malloc((size_t)width * (size_t)height * 3);
    if (pixels == NULL || fread(pixels, (size_t)width * 3, (size_t)height, file) != (size_t)height) {
        free(pixels);
        return -1;
    }
    frame->planes[0] = pixels;
    frame->strides[0] = (size_t)width * 3;
    frame->width = (uint32_t)width;
    frame->height = (uint32_t)height;
    return 1;
}

#if !defined(MASK)
static const char *label(unsigned class_id)
{
    const char *name = NET(label)(class_id);
    return name != NULL ? name : "class";
}
#endif

/*
 * One call from the frame to the answer. For a decoder's NV12 the frame would be
 *   frame.planes[0] = luma; frame.planes[1] = chroma; frame.strides[0] = ...; frame.strides[1] = ...;
 * with frame.format NAME_NV12, and frame.yuv as the stream says.
 */
static NET(status) show(NET(ctx) *context, const NET(frame) *frame, void *workspace, unsigned index)
{
    const size_t bytes = NET(frame_bytes)();
    NET(status) status;
#if defined(MASK)
    unsigned char *mask = malloc((size_t)frame->width * frame->height);
    if (mask == NULL) {
        fprintf(stderr, "frame %u: no memory for its mask\n", index);
        exit(1);
    }
    status = NET(run_frame)(context, frame, workspace, bytes, mask, frame->width);
    if (status == 0) {
        printf("P5\n%u %u\n255\n", (unsigned)frame->width, (unsigned)frame->height);
        fwrite(mask, frame->width, frame->height, stdout);
    }
    free(mask);
#elif defined(BOXES)
    NET(detection) found[20];
    unsigned count, i;
    const NET(limits) limits = {0.5f, 0.5f};
    status = NET(run_frame)(context, frame, &limits, workspace, bytes, found, 20, &count);
    for (i = 0; status == 0 && i < count; ++i) {
        printf("%u  %.4f  %s %u  %.1f %.1f %.1f %.1f\n", index, found[i].score, label(found[i].class_id),
               (unsigned)found[i].class_id, found[i].x0, found[i].y0, found[i].x1, found[i].y1);
    }
#else
    NET(class) best[5];
    unsigned count, i;
    status = NET(run_frame)(context, frame, workspace, bytes, best, 5, &count);
    for (i = 0; status == 0 && i < count; ++i) {
        printf("%u  %.4f  %s %u\n", index, best[i].score, label(best[i].class_id), (unsigned)best[i].class_id);
    }
#endif
    return status;
}

int main(int argc, char **argv)
{
    const size_t bytes = NET(arena_bytes)(1);
    void *const arena = block(bytes, NET(arena_align)());
    void *const workspace = block(NET(frame_bytes)(), 64);
    NET(ctx) context;
    NET(frame) frame = {0}; /* RGB, upright, fitted as in training */
    NET(status) status = NET(init)(&context, arena, bytes, NULL, NET(abi)());
    unsigned index = 0;
    int more = 0;
    frame.rotation = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
    while (status == 0 && (more = next_frame(stdin, &frame)) == 1) {
        status = show(&context, &frame, workspace, index++);
        free((void *)frame.planes[0]);
    }
    free(arena);
    free(workspace);
    if (status != 0 || more < 0) {
        fprintf(stderr, "frame %u: %s\n", index, status != 0 ? NET(strerror)(status) : "not a PPM picture (P6)");
        return 1;
    }
    return 0;
}
