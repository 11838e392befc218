/* Calls a fuzzer once for each file of the folders (or for each file) on the command line; stands in for libFuzzer. Fails where
 * there is nothing to call it with: a fuzzer without inputs would pass without having looked at anything. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static int count;

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    long size;

    if (file == NULL || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0) {
        perror(path);
        return 1;
    }
    rewind(file);
    /* Exactly as long as the input, so that the sanitizer sees a read beyond it. */
    unsigned char *data = malloc(size > 0 ? (size_t)size : 1);
    if (data == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
        perror(path);
        free(data);
        fclose(file);
        return 1;
    }
    fclose(file);
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    count++;
    return 0;
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int replay_folder(const char *path)
{
    struct dirent **names;
    int failed = 0, n = scandir(path, &names, is_shown, alphasort);
    if (n < 0) {
        perror(path);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        failed |= replay(child);
        free(names[i]);
    }
    free(names);
    if (n == 0)
        fprintf(stderr, "%s: there are no inputs\n", path);
    return failed || n == 0;
}

static int replay_all(const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
        return replay(path);
    return replay_folder(path);
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    count++;
    for (int i = 1; i < argc; i++)
        failed |= replay_all(argv[i]);
    printf("replayed %d input%s\n", count, count == 1 ? "" : "s");
    return failed;
}
