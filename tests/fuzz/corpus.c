/* Runs a fuzz target on files: those in the folders that are named, as they are and cut in the middle. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

static uint8_t *read_file(const char *path, size_t *ret_size)
{
	FILE *file = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(file);
	data = malloc((size_t)size + 1);
	if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	*ret_size = (size_t)size;
	return data;
}

int main(int argc, char **argv)
{
	struct dirent *entry;
	char path[4096];
	size_t size, count = 0;
	uint8_t *data;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		while (dir && (entry = readdir(dir))) {
			if (entry->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
			data = read_file(path, &size);
			LLVMFuzzerTestOneInput(data, size);
			LLVMFuzzerTestOneInput(data, size / 2);
			free(data);
			count++;
		}
		if (dir)
			closedir(dir);
	}
	printf("%zu files\n", count);
	return count ? 0 : 1;
}
