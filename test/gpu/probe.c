// Counts GPUs by the driver's library, which it finds by the dynamic linker's
// cache. Prints "devices N", and "device I NAME" for each.
#include <dlfcn.h>
#include <stdio.h>

int main(void)
{
	void *cuda = dlopen("libcuda.so.1", RTLD_NOW);
	if (!cuda) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	int (*init)(unsigned) = (int (*)(unsigned))dlsym(cuda, "cuInit");
	int (*count)(int *) = (int (*)(int *))dlsym(cuda, "cuDeviceGetCount");
	int (*get)(int *, int) = (int (*)(int *, int))dlsym(cuda, "cuDeviceGet");
	int (*name)(char *, int, int) = (int (*)(char *, int, int))dlsym(cuda, "cuDeviceGetName");
	if (!init || !count || !get || !name) {
		fprintf(stderr, "libcuda lacks cuInit, cuDeviceGetCount, cuDeviceGet or cuDeviceGetName\n");
		return 1;
	}
	int n = 0, err = init(0);
	if (!err)
		err = count(&n);
	if (err) {
		fprintf(stderr, "CUDA says error %d\n", err);
		return 1;
	}
	printf("devices %d\n", n);
	for (int i = 0, device; i < n; i++) {
		char text[256];
		err = get(&device, i);
		if (!err)
			err = name(text, sizeof text, device);
		if (err) {
			fprintf(stderr, "CUDA says error %d of device %d\n", err, i);
			return 1;
		}
		printf("device %d %s\n", i, text);
	}
	return 0;
}
