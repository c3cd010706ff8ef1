/* One level of a simple data cache: set-associative, least recently used goes, every access allocates, no prefetch. */
#include <stdint.h>
#include <stddef.h>

enum { LINE_BITS = 6 }; /* 64-byte lines */

/* `lines` holds `ways` entries per set, the latest first: line number + 1, or 0 where nothing has been loaded. */
typedef struct cache {
    uint64_t *lines;
    size_t sets, ways;
} cache;

/* Whether the line was there; it is afterwards. */
static inline int cache_access(cache *level, uint64_t line)
{
    uint64_t *set = level->lines + line % level->sets * level->ways;
    uint64_t carried = line + 1, next;
    size_t way;
    for (way = 0; way < level->ways; ++way) {
        next = set[way];
        set[way] = carried;
        if (next == line + 1) {
            return 1;
        }
        carried = next;
    }
    return 0;
}
