"""Times of frames of VTK's volume rendering of a field while the camera orbits: `vtk_volume.py FIELD.npy`.

Needs the Python packages vtk and numpy. The ray caster on the processor
(vtkFixedPointVolumeRayCastMapper) and the one in shaders (vtkGPUVolumeRayCastMapper, here on
Mesa's software OpenGL) draw the same logarithmic field at 800 × 600 with a step of one voxel,
as `cargo bench --bench frames -- FIELD.npy` does.
"""

import sys
import time

import numpy as np
import vtk
from vtk.util.numpy_support import numpy_to_vtk

SIZE, FRAMES, WARM = (800, 600), 30, 5


def scene(mapper, field):
    low, high = np.quantile(field, 0.3), np.quantile(field, 0.9999)
    place = np.clip(np.log(np.maximum(field, low) / low) / np.log(high / low), 0, 1)
    n = field.shape[0]
    image = vtk.vtkImageData()
    image.SetDimensions(n, n, n)
    values = np.ascontiguousarray((place * 255).astype(np.uint8).transpose(2, 1, 0).ravel())
    image.GetPointData().SetScalars(numpy_to_vtk(values, deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    mapper.SetInputData(image)
    mapper.SetSampleDistance(1.0)
    mapper.SetAutoAdjustSampleDistances(0)
    opacity, color = vtk.vtkPiecewiseFunction(), vtk.vtkColorTransferFunction()
    opacity.AddPoint(0, 0.0)
    opacity.AddPoint(0.2 * 255, 0.0)
    opacity.AddPoint(255, 0.6)
    for place, rgb in [(0, (0, 0, 0.02)), (0.35, (0.4, 0.05, 0.4)), (0.7, (0.95, 0.4, 0.1)), (1, (0.99, 1, 0.65))]:
        color.AddRGBPoint(place * 255, *rgb)
    volume = vtk.vtkVolume()
    volume.SetMapper(mapper)
    volume.GetProperty().SetScalarOpacity(opacity)
    volume.GetProperty().SetColor(color)
    volume.GetProperty().SetInterpolationTypeToLinear()
    volume.GetProperty().ShadeOff()
    renderer = vtk.vtkRenderer()
    renderer.AddVolume(volume)
    window = vtk.vtkRenderWindow()
    window.SetOffScreenRendering(1)
    window.SetSize(*SIZE)
    window.SetMultiSamples(0)
    window.AddRenderer(renderer)
    renderer.ResetCamera()
    return window, renderer


def main():
    field = np.load(sys.argv[1]).astype(np.float32)
    print(f"VTK {vtk.vtkVersion().GetVTKVersion()}, {field.shape[0]}³ voxels, {SIZE[0]} × {SIZE[1]} pixels")
    casters = [
        ("ray caster on the processor", vtk.vtkFixedPointVolumeRayCastMapper),
        ("ray caster in shaders", vtk.vtkGPUVolumeRayCastMapper),
    ]
    for name, mapper in casters:
        window, renderer = scene(mapper(), field)
        times = []
        for _ in range(WARM + FRAMES):
            began = time.perf_counter()
            renderer.GetActiveCamera().Azimuth(1.0)
            window.Render()
            window.WaitForCompletion()
            times.append(1e3 * (time.perf_counter() - began))
        times = sorted(times[WARM:])
        print(f"{name + ' orbiting':<44} {times[len(times) // 2]:7.1f} ms   {1e3 / times[len(times) // 2]:5.1f} frames/s")
        if len(sys.argv) > 2:
            grab = vtk.vtkWindowToImageFilter()
            grab.SetInput(window)
            writer = vtk.vtkPNGWriter()
            writer.SetFileName(f"{sys.argv[2]}_{mapper.__name__}.png")
            writer.SetInputConnection(grab.GetOutputPort())
            writer.Write()


main()
