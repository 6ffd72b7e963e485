// Stands in for the driver's libcuda: each device node that can be opened is a GPU.
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int cuInit(unsigned flags)
{
	(void)flags;
	int fd = open("/dev/nvidiactl", O_RDWR);
	if (fd < 0)
		return 100; // CUDA_ERROR_NO_DEVICE
	close(fd);
	return 0;
}

int cuDeviceGetCount(int *count)
{
	char path[32];
	*count = 0;
	for (int n = 0; n < 16; n++) {
		snprintf(path, sizeof path, "/dev/nvidia%d", n);
		int fd = open(path, O_RDONLY | O_NONBLOCK);
		if (fd >= 0) {
			close(fd);
			++*count;
		}
	}
	return 0;
}

int cuDeviceGet(int *device, int ordinal)
{
	*device = ordinal;
	return 0;
}

int cuDeviceGetName(char *name, int length, int device)
{
	(void)device;
	snprintf(name, length, "NVIDIA A100-SXM4-40GB"); // the model of test/gpu/host
	return 0;
}
